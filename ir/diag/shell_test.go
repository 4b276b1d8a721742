package diag_test

import (
	"os/exec"
	"testing"

	"github.com/vnetc/vnetc/ir/diag"
)

// TestShellWord: a shell makes of the word what it was.
func TestShellWord(t *testing.T) {
	for _, word := range []string{"lab", "/run/vnetc", "my nets/", "", "a'b", "$(reboot)", "a;b", "ü", "a\nb"} {
		got, err := exec.Command("sh", "-c", "printf %s "+diag.ShellWord(word)).Output()
		if err != nil || string(got) != word {
			t.Errorf("%s is %q, %v, want %q", diag.ShellWord(word), got, err, word)
		}
	}
	if got := diag.ShellWord("lab"); got != "lab" {
		t.Errorf("what needs no quotes is %s", got)
	}
}
