package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// linkMessage returns a struct ifinfomsg: family, padding, type, index, flags, mask of the flags to change.
func linkMessage(index uint32, flags uint32) []byte {
	b := make([]byte, 4, unix.SizeofIfInfomsg)
	b = append(b, number(index)...)
	b = append(b, number(flags)...)
	return append(b, number(flags)...)
}

// attribute appends a struct rtattr: length, type, content, padded to four bytes.
func attribute(b []byte, kind uint16, content []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(content)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, content...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func number(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func zeroEnded(s string) []byte { return append([]byte(s), 0) }

// request sends a request to the kernel in the namespace and waits for the answer. An error fails the test.
func (s *Space) request(what string, kind, flags uint16, body []byte) {
	s.t.Helper()
	if err := s.Do(func() error { return request(kind, flags, body) }); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// request sends struct nlmsghdr (length, type, flags, sequence number, port) with a body.
func request(kind, flags uint16, body []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	b := number(uint32(unix.SizeofNlMsghdr + len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	b = append(append(append(b, number(1)...), number(0)...), body...)
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	return outcome(answer[:n])
}

// outcome returns the error in an answer, or nil.
func outcome(answer []byte) error {
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil {
		return err
	}
	if len(messages) == 0 {
		return errors.New("no answer")
	}
	m := messages[0]
	if m.Header.Type != unix.NLMSG_ERROR || len(m.Data) < 4 {
		return fmt.Errorf("answer of type %d", m.Header.Type)
	}
	if code := int32(binary.NativeEndian.Uint32(m.Data)); code != 0 {
		return syscall.Errno(-code)
	}
	return nil
}
