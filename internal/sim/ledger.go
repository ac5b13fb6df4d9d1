package sim

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// HeaderSize is the least size of a message in bytes: its number.
const HeaderSize = 8

// ledger knows which message was where when.
type ledger struct {
	messages []*Message
	foreign  int // deliveries of what was never sent
}

// Message is a broadcast and its way.
type Message struct {
	Origin int
	Size   int           // bytes
	Sent   time.Duration // since the start of the network
	Wanted int           // nodes that should hear it: those that were up when it was sent, not just begun, and stay so
	Heard  int           // of them, did
	Again  int           // deliveries to a node that had it already
	Last   time.Duration // until the last of them heard it

	at []int32 // by node: when it heard it, in microseconds since Sent, or one of these
}

const (
	missing  = -1
	optional = -2 // it need not hear it
	had      = -3 // it need not have heard it, and has
)

// Whole reports whether the message is at every node that should have it.
func (m *Message) Whole() bool { return m.Heard == m.Wanted }

// Delays calls yield with the time that each delivery took.
func (m *Message) Delays(yield func(node int, after time.Duration)) {
	for i, at := range m.at {
		if at >= 0 {
			yield(i, time.Duration(at)*time.Microsecond)
		}
	}
}

// Broadcast sends a message of a size from a node that is up.
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

// arrival is how long a node takes to join; before that it need not hear what others say.
const arrival = time.Second

// arrived notes a delivery to the application of a node.
func (l *ledger) arrived(n *Node, now time.Duration, data []byte) {
	if len(data) < HeaderSize || binary.BigEndian.Uint64(data) >= uint64(len(l.messages)) {
		l.foreign++
		return
	}
	m := l.messages[binary.BigEndian.Uint64(data)]
	switch {
	case n.since > m.Sent: // what was sent before its present life is welcome, and not counted
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

// excuse takes a node that ends off those that messages wait for.
func (l *ledger) excuse(n *Node, now time.Duration) {
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

// lateMax is the age at which a message that is missing is lost, not late.
const lateMax = 30 * time.Second

// between lists the messages of a span of time.
func (l *ledger) between(from, to time.Duration) (list []*Message) {
	for _, m := range l.messages {
		if m.Sent >= from && m.Sent <= to {
			list = append(list, m)
		}
	}
	return list
}

// Messages lists the messages that were sent in a span of time since the start.
func (c *Cluster) Messages(from, to time.Duration) []*Message { return c.ledger.between(from, to) }
