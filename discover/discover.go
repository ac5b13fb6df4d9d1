// Package discover repeatedly finds the addresses of other nodes and joins them while a program runs. Sources are
// names in the DNS, EndpointSlices of Kubernetes, a file, or the program's own, such as hashicorp/go-discover.
//
// A node with a fixed list of seeds depends on that list: it stays alone if all seeds are replaced while it cannot
// reach them. Run queries the sources repeatedly and passes every address that is not a member's to Join:
//
//	go discover.Run(ctx, discover.Config{
//		Sources: []discover.Source{&discover.DNS{Host: "gossip.example.com", Port: 6969}},
//		Join:    list.JoinContext,
//		Members: discover.Addresses(list.Members),
//	})
//
// The package uses only the standard library, and works for a Memberlist of gwyh and of hashicorp/memberlist.
//
// Reading order: discover.go has the interface of sources, loop.go the loop, and each kind of source has a file.
package discover

import (
	"context"
	"fmt"
	"slices"
)

// A Source finds addresses of nodes. Its methods are called by one goroutine at a time.
type Source interface {
	// Find returns addresses as "host:port". Their order has no meaning, and duplicates are allowed. An address
	// without a node does no harm. Find returns soon after ctx is canceled.
	Find(ctx context.Context) ([]string, error)
	// String names the source in log lines, as in "dns://gossip.example.com:6969".
	fmt.Stringer
}

// Static is a Source of fixed addresses. Each address is joined again whenever it is not a member's. A host name is
// passed to Join as it is, so it never counts as a member's address: use DNS for names.
type Static []string

// Find returns a copy of the addresses.
func (s Static) Find(context.Context) ([]string, error) { return slices.Clone(s), nil }

// String returns the list of addresses.
func (s Static) String() string { return fmt.Sprint([]string(s)) }

// Addresses returns a function for Config.Members. members is the method Members of a Memberlist of gwyh or of
// hashicorp/memberlist.
func Addresses[N interface{ Address() string }](members func() []N) func() []string {
	return func() []string {
		var addresses []string
		for _, n := range members() {
			addresses = append(addresses, n.Address())
		}
		return addresses
	}
}

// uncancellable is a Source for a function that takes no context.
type uncancellable struct {
	name string
	find func() ([]string, error)
	busy chan struct{} // holds one element while find runs
}

// Uncancellable returns a Source for a function that takes no context, such as Addrs of hashicorp/go-discover. Find
// returns when its context is canceled, although the call of find goes on. Until that call returns, Find returns an
// error, so at most one call of find is in progress.
func Uncancellable(name string, find func() ([]string, error)) Source {
	return &uncancellable{name: name, find: find, busy: make(chan struct{}, 1)}
}

func (u *uncancellable) String() string { return u.name }

func (u *uncancellable) Find(ctx context.Context) ([]string, error) {
	select {
	case u.busy <- struct{}{}:
	default:
		return nil, fmt.Errorf("%s: the previous search has not ended", u.name)
	}
	type found struct {
		addresses []string
		err       error
	}
	result := make(chan found, 1)
	go func() {
		addresses, err := u.find()
		result <- found{addresses, err}
		<-u.busy
	}()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", u.name, context.Cause(ctx))
	case f := <-result:
		return f.addresses, f.err
	}
}
