package carrier

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
)

func TestWriteErrorsAreCountedByTheirCause(t *testing.T) {
	for errno, want := range map[error]Cause{
		syscall.EPERM: Forbidden, syscall.EACCES: Forbidden, syscall.ENETUNREACH: NoRoute, syscall.EHOSTUNREACH: NoRoute, syscall.ENETDOWN: NoRoute,
		syscall.EADDRNOTAVAIL: NoRoute, syscall.ENOBUFS: NoRoom, syscall.EAGAIN: NoRoom, syscall.ENOMEM: NoRoom, syscall.EMSGSIZE: TooBig,
		syscall.EIO: Other, errors.New("of a Transport"): Other,
	} {
		t.Run(errno.Error(), func(t *testing.T) {
			err := fmt.Errorf("write: %w", os.NewSyscallError("sendmsg", errno))
			if got := causeOf(err); got != want {
				t.Errorf("cause %d, want %d", got, want)
			}
		})
	}
}
