package node

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gossip"
)

// ErrNoPingAnswer is returned by Ping if no answer arrived in time, or if a node with another name answered.
var ErrNoPingAnswer = errors.New("no answer to a ping")

// sends holds the reliable messages and the pings that a caller waits for.
type sends struct {
	loop      *loop
	addresses *addresses
	direct    func(now time.Time, msg []byte) // delivers a message to this node itself
	public    func(error) error               // see Config
	timeout   time.Duration                   // Config.Timeout
	needNames bool                            // Config.RequireNames

	messages map[event.SendToken]chan<- error // owned by the loop
	pings    map[event.PingToken]chan<- pinged
}

// pinged is the result of a ping.
type pinged struct {
	rtt time.Duration
	err error
}

// resolve returns the first IP address that an address of the application stands for.
func (s *sends) resolve(address string) (netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	_, to, err := s.addresses.resolve(ctx, address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return to[0], nil
}

// send sends msg to the node at an address. name is empty if unknown. A reliable send waits for the acknowledgement.
func (s *sends) send(address, name string, msg []byte, reliable bool) error {
	if s.needNames && name == "" {
		return fmt.Errorf("gwyh: send to %s: RequireNodeNames is set and the address has no name", address)
	}
	to, err := s.resolve(address)
	if err != nil {
		return fmt.Errorf("gwyh: send: %w", err)
	}
	s.addresses.learn(to, name)
	ended := make(chan error, 1)
	var refused error
	err = s.loop.do(func(now time.Time) { refused = s.begin(now, to, msg, reliable, ended) })
	if err = cmp.Or(err, refused); err != nil || !reliable {
		return s.public(err)
	}
	select {
	case err = <-ended:
	case <-s.loop.stop:
		return s.public(ErrShutdown)
	}
	if err != nil {
		return fmt.Errorf("gwyh: send %d bytes to %s: %w", len(msg), to, err)
	}
	return nil
}

// begin passes a message to the core. It delivers a message to this node directly, because a node has no session with
// itself. Only the loop may call it.
func (s *sends) begin(now time.Time, to netip.AddrPort, msg []byte, reliable bool, ended chan<- error) error {
	if to == s.loop.core.Self().Addr && len(msg) <= gossip.MessageMax {
		s.direct(now, bytes.Clone(msg))
		ended <- nil
		return nil
	}
	token, err := s.loop.core.Send(now, to, msg, reliable, now.Add(s.timeout))
	if token != 0 {
		s.messages[token] = ended
	}
	return err
}

// ping returns the round-trip time to the node at an address. An empty name matches any node.
func (s *sends) ping(name, address string, atMost time.Duration) (time.Duration, error) {
	to, err := s.resolve(address)
	if err != nil {
		return 0, fmt.Errorf("gwyh: ping: %w", err)
	}
	ended := make(chan pinged, 1)
	var refused error
	err = s.loop.do(func(now time.Time) {
		var token event.PingToken
		if token, refused = s.loop.core.Ping(now, name, to, now.Add(atMost)); token != 0 {
			s.pings[token] = ended
		}
	})
	if err = cmp.Or(err, refused); err != nil {
		return 0, s.public(err)
	}
	select {
	case p := <-ended:
		if p.err != nil {
			return 0, ErrNoPingAnswer
		}
		return p.rtt, nil
	case <-s.loop.stop:
		return 0, s.public(ErrShutdown)
	}
}

// sent completes a reliable message. Only the loop may call it.
func (s *sends) sent(e *event.Event) {
	s.messages[e.Send] <- e.Err
	delete(s.messages, e.Send)
}

// pinged completes a ping. Only the loop may call it.
func (s *sends) pinged(e *event.Event) {
	s.pings[e.Ping] <- pinged{e.RTT, e.Err}
	delete(s.pings, e.Ping)
}
