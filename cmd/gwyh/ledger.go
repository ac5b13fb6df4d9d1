package main

import (
	"bytes"
	"encoding/binary"
	"sync"
	"time"
)

// headerSize is the size in bytes of the part of a message that names its entry in the ledger.
const headerSize = 8

// A ledger records which node got which message. It keeps the entries as long as the cluster lives, so late copies of
// early messages count too.
type ledger struct {
	nodes int // immutable

	mu         sync.Mutex // guards the following fields and the entries
	entries    []*entry
	duplicates int // deliveries to a node that already had the message, or was not to get it
	foreign    int // deliveries of messages that were never sent, or were changed
}

// An entry is one message.
type entry struct {
	message []byte // immutable
	done    []bool // by node: has it, or is not to get it
	wanted  int    // nodes that are to get it
	missing int    // how many of them do not have it yet
	sent    time.Time
	last    time.Time     // when the latest one so far got it
	whole   chan struct{} // closed when missing is 0
}

// open adds a message of the given size for receivers, just before it is sent.
func (l *ledger) open(receivers []*node, size int) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &entry{message: make([]byte, size), done: make([]bool, l.nodes), whole: make(chan struct{}),
		wanted: len(receivers), missing: len(receivers)}
	binary.BigEndian.PutUint64(e.message, uint64(len(l.entries)))
	for i := headerSize; i < size; i++ {
		e.message[i] = byte(i)
	}
	for i := range e.done {
		e.done[i] = true
	}
	for _, n := range receivers {
		e.done[n.index] = false
	}
	l.entries = append(l.entries, e)
	e.sent = time.Now()
	return e
}

// arrived records the delivery of a message to a node.
func (l *ledger) arrived(now time.Time, index int, message []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.find(message)
	switch {
	case e == nil:
		l.foreign++
	case e.done[index]:
		l.duplicates++
	default:
		e.done[index] = true
		e.last = now
		if e.missing--; e.missing == 0 {
			close(e.whole)
		}
	}
}

func (l *ledger) find(message []byte) *entry {
	if len(message) < headerSize {
		return nil
	}
	i := binary.BigEndian.Uint64(message)
	if i >= uint64(len(l.entries)) || !bytes.Equal(l.entries[i].message, message) {
		return nil
	}
	return l.entries[i]
}

// coverage describes the deliveries of some messages.
type coverage struct {
	wanted     int             // expected deliveries: messages times receivers
	got        int             // expected deliveries that happened
	short      int             // messages that are not at all receivers
	duplicates int             // unexpected deliveries in the whole ledger
	foreign    int             // deliveries of messages never sent, in the whole ledger
	spread     []time.Duration // from the sending of a message until the last node had it
}

func (c *coverage) complete() bool { return c.got == c.wanted && c.duplicates == 0 && c.foreign == 0 }

// count returns the coverage of the entries from the given one on.
func (l *ledger) count(from int) coverage {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := coverage{duplicates: l.duplicates, foreign: l.foreign}
	for _, e := range l.entries[from:] {
		c.wanted += e.wanted
		c.got += e.wanted - e.missing
		if e.missing > 0 {
			c.short++
			continue
		}
		c.spread = append(c.spread, e.last.Sub(e.sent))
	}
	return c
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}
