package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// Durations of a round of broadcasts.
const (
	messageWait   = time.Second          // the next message waits at most this long for a message to reach all nodes
	messagePause  = 5 * time.Millisecond // after a message reached all nodes, for its last copies
	stragglerWait = 3 * time.Second      // after the last delivery, for all missing ones
	pollEvery     = 25 * time.Millisecond
)

// round is the result of a number of broadcasts.
type round struct {
	coverage
	messages  int
	receivers int    // of each message
	copies    uint64 // received by all nodes together
	crossZone uint64 // those from a node of another zone
}

// perNode divides a count of copies by the receivers and the messages.
func (r *round) perNode(copies uint64) float64 {
	return float64(copies) / float64(r.messages*r.receivers)
}

// broadcast sends messages from random nodes. Each message waits until the one before is at all nodes, so that its
// time is measured alone.
func (c *cluster) broadcast(ctx context.Context, rng *rand.Rand, messages, size int, each func(sent int)) (round, error) {
	from := c.ledger.len()
	copies, crossZone := c.copies()
	receivers := make([]*node, 0, len(c.nodes))
	var open []*entry
	for i := range messages {
		sender := rng.IntN(len(c.nodes))
		receivers = append(append(receivers[:0], c.nodes[:sender]...), c.nodes[sender+1:]...)
		e := c.ledger.open(receivers, size)
		if err := c.nodes[sender].Broadcast(e.message); err != nil {
			return round{}, err
		}
		if !e.wait(ctx, messageWait) {
			open = append(open, e)
		}
		if ctx.Err() != nil {
			return round{}, ctx.Err()
		}
		time.Sleep(messagePause)
		each(i + 1)
	}
	c.stragglers(ctx, from, open, stragglerWait)
	all, cross := c.settled(ctx)
	return round{coverage: c.ledger.count(from), messages: messages, receivers: len(receivers),
		copies: all - copies, crossZone: cross - crossZone}, ctx.Err()
}

// stragglers waits until all receivers have the messages, or until no delivery happens for patience.
func (c *cluster) stragglers(ctx context.Context, from int, open []*entry, patience time.Duration) {
	pollWhileGrowing(ctx, pollEvery, patience, func() (int, bool) {
		open = slices.DeleteFunc(open, (*entry).isWhole)
		return c.ledger.count(from).got, len(open) == 0
	})
}

// isWhole reports whether all receivers have the message.
func (e *entry) isWhole() bool {
	select {
	case <-e.whole:
		return true
	default:
		return false
	}
}

// wait reports whether all receivers get the message within atMost.
func (e *entry) wait(ctx context.Context, atMost time.Duration) bool {
	late := time.NewTimer(atMost)
	defer late.Stop()
	select {
	case <-e.whole:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// settled returns the result of copies once it no longer grows.
func (c *cluster) settled(ctx context.Context) (all, crossZone uint64) {
	late := time.Now().Add(stragglerWait)
	for all, crossZone = c.copies(); ctx.Err() == nil && time.Now().Before(late); {
		time.Sleep(pollEvery)
		before := all
		if all, crossZone = c.copies(); all == before {
			break
		}
	}
	return all, crossZone
}
