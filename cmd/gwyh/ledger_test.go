package main

import (
	"bytes"
	"testing"
	"time"
)

func TestLedgerKnowsWhatArrivedWhereAndWhen(t *testing.T) {
	l := &ledger{nodes: 4}
	nodes := []*node{{index: 0}, {index: 1}, {index: 2}, {index: 3}}
	a, b := l.open(nodes[1:3], 100), l.open(nodes[2:], headerSize)
	if bytes.Equal(a.message, b.message) || len(a.message) != 100 || len(b.message) != headerSize {
		t.Fatalf("messages %x and %x", a.message, b.message)
	}
	arrive := func(e *entry, index int, after time.Duration) {
		l.arrived(e.sent.Add(after), index, bytes.Clone(e.message))
	}

	arrive(a, 1, 2*ms)
	switch c := l.count(0); {
	case c.wanted != 4:
		t.Errorf("after one delivery: %v deliveries are wanted, want 4", c.wanted)
	case c.got != 1:
		t.Errorf("after one delivery: %v messages came, want 1", c.got)
	case c.short != 2:
		t.Errorf("after one delivery: %v deliveries are missing, want 2", c.short)
	case len(c.spread) != 0:
		t.Errorf("after one delivery: %v spreads are known, want 0", len(c.spread))
	case c.complete():
		t.Error("after one delivery: the message counts as complete")
	}
	arrive(a, 2, 5*ms)
	arrive(b, 3, 1*ms)
	arrive(b, 2, 3*ms)
	switch c := l.count(0); {
	case !c.complete():
		t.Error("after all: the message does not count as complete")
	case len(c.spread) != 2:
		t.Errorf("after all: %v spreads are known, want 2", len(c.spread))
	case c.spread[0] != 5*ms:
		t.Errorf("after all: the first spread is %v, want %v", c.spread[0], 5*ms)
	case c.spread[1] != 3*ms:
		t.Errorf("after all: the second spread is %v, want %v", c.spread[1], 3*ms)
	}
	if c := l.count(1); c.wanted != 2 || len(c.spread) != 1 {
		t.Errorf("the second alone: %+v", c)
	}
	select {
	case <-a.whole:
	default:
		t.Error("the first is everywhere, but does not say so")
	}
}

func TestLedgerFindsWhatShouldNotHaveArrived(t *testing.T) {
	l := &ledger{nodes: 2}
	e := l.open([]*node{{index: 1}}, 20)
	now := time.Now()
	l.arrived(now, 1, e.message)
	l.arrived(now, 1, e.message) // a second time
	l.arrived(now, 0, e.message) // at its sender
	switch c := l.count(0); {
	case c.duplicates != 2:
		t.Errorf("%v messages came again, want 2", c.duplicates)
	case c.foreign != 0:
		t.Errorf("%v foreign messages came, want 0", c.foreign)
	case c.got != 1:
		t.Errorf("%v messages came, want 1", c.got)
	case c.complete():
		t.Error("the message counts as complete")
	}
	damaged := bytes.Clone(e.message)
	damaged[19]++
	for _, m := range [][]byte{nil, e.message[:7], e.message[:19], damaged, bytes.Repeat([]byte{0xff}, 20)} {
		l.arrived(now, 1, m)
	}
	if c := l.count(0); c.foreign != 5 || c.duplicates != 2 {
		t.Errorf("%+v", c)
	}
}
