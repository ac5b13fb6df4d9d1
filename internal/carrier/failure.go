package carrier

import (
	"errors"
	"net/netip"
	"sync"
	"syscall"

	"github.com/gwyh-go/gwyh/internal/udp"
)

// A Cause is why a datagram could not be written.
type Cause int

// The causes.
const (
	Forbidden Cause = iota // a firewall or another rule of this machine
	NoRoute                // this machine has no way to the address
	NoRoom                 // the system has no room for more datagrams at the moment
	TooBig                 // the path does not carry the size, which a node finds out in this way
	Other                  // any other error, of the system or of a foreign transport
	Causes                 // the number of causes
)

// causeOf returns the cause of a write error.
func causeOf(err error) Cause {
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return Forbidden
	case errors.Is(err, syscall.EMSGSIZE):
		return TooBig
	case errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		return NoRoom
	case udp.NoRoute(err) != nil:
		return NoRoute
	}
	return Other
}

// A Failure describes the datagrams that could not be written for one cause.
type Failure struct {
	Count uint64 // since the start of the node
	To    netip.AddrPort
	Err   error // of the last one, which was for To; nil if there was none
}

// failures holds the Failure of each cause. It is safe for concurrent use.
type failures struct {
	mu  sync.Mutex
	all [Causes]Failure
}

// add counts a datagram that could not be written.
func (f *failures) add(to netip.AddrPort, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	of := &f.all[causeOf(err)]
	of.Count++
	of.To, of.Err = to, err
}

// list returns the Failure of each cause.
func (f *failures) list() [Causes]Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all
}
