package main

import (
	"bytes"
	"encoding/binary"
	"sync"
	"time"
)

// headerSize is the part of a message, in bytes, that names its entry of the ledger.
const headerSize = 8

// A ledger notes which message is at which node since when. A late copy of an early message finds its
// entry as long as the cluster lives.
type ledger struct {
	nodes int // immutable

	mu      sync.Mutex // guards what follows, and the entries
	entries []*entry
	again   int // messages handed to a node that had it, or was not to get it
	foreign int // messages handed over that nobody sent, or not like this
}

// An entry is one message under way.
type entry struct {
	message []byte // immutable
	done    []bool // by node: has it, or is not to get it
	wanted  int    // nodes that are to get it
	missing int    // of them, have not
	sent    time.Time
	last    time.Time     // when the last one so far got it
	whole   chan struct{} // closed when missing is 0
}

// open enters a message of the given size that receivers are to get, just before it is sent.
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

// arrived notes that a node was handed a message.
func (l *ledger) arrived(now time.Time, index int, message []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.find(message)
	switch {
	case e == nil:
		l.foreign++
	case e.done[index]:
		l.again++
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

// coverage is what became of some messages.
type coverage struct {
	wanted  int             // deliveries there should be: messages times receivers
	got     int             // of them, were
	short   int             // messages that are not everywhere
	again   int             // deliveries of the whole ledger that should not have been
	foreign int             // messages of the whole ledger that were never sent
	spread  []time.Duration // from the sending of a message until it was at the last node
}

func (c *coverage) complete() bool { return c.got == c.wanted && c.again == 0 && c.foreign == 0 }

// count sums up the entries from the given one.
func (l *ledger) count(from int) coverage {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := coverage{again: l.again, foreign: l.foreign}
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
