package netxml

import "testing"

func TestLive(t *testing.T) {
	const network = "<network connections='1'>\n  <name>a</name>\n  <metadata><x:network xmlns:x='urn:x'/></metadata>\n</network>"
	tests := []struct{ name, status, want string }{
		{"status file", "<!-- a > b -->\n<networkstatus>\n  <floor sum='0'/>\n  " + network +
			"\n  <firewall name='fwRemoval'/>\n</networkstatus>\n", network},
		{"no status file", network, ""},
		{"no network", "<networkstatus/>", ""},
		{"cut off", "<networkstatus><network><name>a</name>", ""},
		{"deeper", "<networkstatus><old>" + network + "</old></networkstatus>", ""},
		{"empty", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(Live([]byte(test.status))); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
