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
	if c := l.count(0); c.wanted != 4 || c.got != 1 || c.short != 2 || len(c.spread) != 0 || c.complete() {
		t.Errorf("after one delivery: %+v", c)
	}
	arrive(a, 2, 5*ms)
	arrive(b, 3, 1*ms)
	arrive(b, 2, 3*ms)
	if c := l.count(0); !c.complete() || len(c.spread) != 2 || c.spread[0] != 5*ms || c.spread[1] != 3*ms {
		t.Errorf("after all: %+v", c)
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
	l.arrived(now, 1, e.message) // twice
	l.arrived(now, 0, e.message) // at its sender
	if c := l.count(0); c.again != 2 || c.foreign != 0 || c.got != 1 || c.complete() {
		t.Errorf("%+v", c)
	}
	damaged := bytes.Clone(e.message)
	damaged[19]++
	for _, m := range [][]byte{nil, e.message[:7], e.message[:19], damaged, bytes.Repeat([]byte{0xff}, 20)} {
		l.arrived(now, 1, m)
	}
	if c := l.count(0); c.foreign != 5 || c.again != 2 {
		t.Errorf("%+v", c)
	}
}
