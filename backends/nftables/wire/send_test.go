package wire

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// What can't come from a kernel is no reason to panic.
func TestRefusalsOfDamagedAnswers(t *testing.T) {
	b := &Batch{}
	for _, data := range [][]byte{nil, {1, 2, 3}, make([]byte, 20), append([]byte{200, 0, 0, 0}, make([]byte, 60)...)} {
		b.refusals(data) // must not panic
	}
	message := make([]byte, 36)
	message[0], message[4] = 36, unix.NLMSG_ERROR
	errno := int32(-int(unix.EPERM))
	message[16], message[17], message[18], message[19] = byte(errno), byte(errno>>8), byte(errno>>16), byte(errno>>24)
	message[28] = 9 // sequence number of the message that is answered
	got := b.refusals(message)
	var refused *RefusedError
	if len(got) != 1 || !errors.As(got[0], &refused) || refused.Seq != 9 || refused.Errno != unix.EPERM {
		t.Errorf("got %v, want message 9 refused with EPERM", got)
	}
}
