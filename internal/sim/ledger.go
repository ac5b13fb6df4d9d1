package sim

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// HeaderSize is the minimum size of a message in bytes: the size of its number.
const HeaderSize = 8

// ledger records which message reached which node when.
type ledger struct {
	messages []*Message
	foreign  int // deliveries of messages that were never sent
}

// Message is a broadcast and its deliveries.
type Message struct {
	Origin int
	Size   int           // bytes
	Sent   time.Duration // since the start of the network
	Wanted int           // nodes that should get it: up when it was sent, not just started, and up since then
	Heard  int           // how many of them got it
	Again  int           // deliveries to a node that already had it
	Last   time.Duration // until the last of them got it

	at []int32 // by node: when it got the message, in microseconds since Sent, or one of the constants below
}

const (
	missing  = -1
	optional = -2 // the node need not get it
	had      = -3 // the node need not get it, but has it
)

// Whole reports whether every node that should have the message has it.
func (m *Message) Whole() bool { return m.Heard == m.Wanted }

// Delays calls yield with the delay of each delivery.
func (m *Message) Delays(yield func(node int, after time.Duration)) {
	for i, at := range m.at {
		if at >= 0 {
			yield(i, time.Duration(at)*time.Microsecond)
		}
	}
}

// Broadcast sends a message of size bytes from a node that is up.
func (c *Cluster) Broadcast(n *Node, size int) (*Message, error) {
	l := &c.ledger
	b := make([]byte, max(size, HeaderSize))
	binary.BigEndian.PutUint64(b, uint64(len(l.messages)))
	m := &Message{Origin: n.Index, Size: len(b), Sent: c.Net.Elapsed(), at: make([]int32, len(c.Nodes))}
	l.messages = append(l.messages, m)
	for i, o := range c.Nodes {
		switch {
		case o == n:
			m.at[i] = had
		case !o.up, o.since > 0 && c.Net.Elapsed()-o.since < arrival:
			m.at[i] = optional
		default:
			m.at[i] = missing
			m.Wanted++
		}
	}
	var err error
	c.Do(n, func(now time.Time) { err = n.Core.Broadcast(now, b) })
	if err != nil {
		l.messages = l.messages[:len(l.messages)-1]
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	return m, nil
}

// arrival is how long a node takes to join. Until then it need not receive the messages of other nodes.
const arrival = time.Second

// arrived records a delivery to the application of a node.
func (l *ledger) arrived(n *Node, now time.Duration, data []byte) {
	if len(data) < HeaderSize || binary.BigEndian.Uint64(data) >= uint64(len(l.messages)) {
		l.foreign++
		return
	}
	m := l.messages[binary.BigEndian.Uint64(data)]
	switch {
	case n.since > m.Sent: // messages sent before the node's current life are allowed, and not counted
	case m.at[n.Index] == optional:
		m.at[n.Index] = had
	case m.at[n.Index] != missing:
		m.Again++
	default:
		m.at[n.Index] = int32((now - m.Sent) / time.Microsecond)
		m.Heard++
		m.Last = now - m.Sent
	}
}

// exempt removes a node that ends from the nodes that should get each message.
func (l *ledger) exempt(n *Node, now time.Duration) {
	for _, m := range slices.Backward(l.messages) {
		if now-m.Sent > lateMax {
			return
		}
		if n.Index < len(m.at) && m.at[n.Index] == missing {
			m.at[n.Index] = optional
			m.Wanted--
		}
	}
}

// lateMax is the age at which a missing message counts as lost instead of late.
const lateMax = 30 * time.Second

// between returns the messages sent in a span of time.
func (l *ledger) between(from, to time.Duration) (list []*Message) {
	for _, m := range l.messages {
		if m.Sent >= from && m.Sent <= to {
			list = append(list, m)
		}
	}
	return list
}

// Messages returns the messages that were sent in a span of time since the start.
func (c *Cluster) Messages(from, to time.Duration) []*Message { return c.ledger.between(from, to) }
