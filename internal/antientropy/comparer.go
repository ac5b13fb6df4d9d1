package antientropy

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and sizes of a comparison (docs/PROTOCOL.md, "Sync").
const (
	bucketFill  = 8                      // average number of members in a bucket
	bitsMax     = members.BucketBitsMax  // at most 2^14 buckets
	retry       = 250 * time.Millisecond // from an unanswered round to the next; doubles for each of them,
	retryMax    = 3                      // at most this many times
	rounds      = 4                      // consecutive rounds without a change that end a comparison
	roundsMax   = 16                     // total rounds
	partBuckets = 128                    // buckets in one part of a round
	flightMax   = 2                      // maximum number of unanswered parts
	overhead    = 64                     // bytes of a message of hashes or buckets without these
)

// A Comparer is a node's side of all its comparisons. Make one with New. It is not safe for concurrent use.
type Comparer struct {
	rng   *rand.Rand
	began time.Time // when this node last began a round
	spent budget    // on answers
}

// New returns a Comparer that draws from rng.
func New(rng *rand.Rand) Comparer { return Comparer{rng: rng} }

// A Peer is the state that a Comparer keeps about one peer. The zero value is ready to use.
type Peer struct {
	round    round
	differs  difference
	count    int          // number of members that the peer last reported
	requests quota.Bucket // limits the answered parts of the peer's comparisons
}

// A round is a comparison that this node began. The zero value is one that has not begun.
type round struct {
	began      time.Time // when the first round of this comparison, or of the one before it, was sent
	sent       time.Time // when the last part was sent
	root       uint64    // this node's root when the last round began
	rounds     int32     // in this comparison
	answered   int32     // rounds that were answered
	idle       int32     // consecutive rounds that changed nothing in this node's table
	mismatches int32     // consecutive heartbeats with a root other than this node's

	flight int32  // number of unanswered parts
	next   uint32 // the first bucket that was not sent yet
	bits   uint8  // there are 2^bits buckets
	active bool
}

// ownRoot returns the root that this node sends.
func ownRoot(t *members.Table) uint64 { return t.Root(t.Salt()) }

// end ends the comparison, or resets it for another one.
func (r *round) end() { *r = round{began: r.began} }

// whole reports whether all parts of the round were sent.
func (r *round) whole() bool { return r.next >= 1<<r.bits }

// due returns when to continue without an answer. A peer that does not answer may be overloaded, so the time increases.
func (r *round) due() time.Time {
	return r.sent.Add(retry << min(max(r.rounds-r.answered-1, 0), retryMax))
}

// Active reports whether this node compares its table with the peer's.
func (p *Peer) Active() bool { return p.round.active }

// Waiting reports whether parts of a comparison have no answer yet.
func (p *Peer) Waiting() bool { return p.round.flight > 0 }

// LastRoot returns the last root that the peer sent during a comparison, and its salt.
func (p *Peer) LastRoot() (root, salt uint64) { return p.differs.latest, p.differs.salt }

// End ends a comparison.
func (p *Peer) End() { p.round.end() }

// NextTimeout returns when Tick must be called, or zero for never.
func (p *Peer) NextTimeout() time.Time {
	if !p.round.active {
		return time.Time{}
	}
	return p.round.due()
}

// Begin begins a comparison with a peer, or restarts it. room is the maximum size in bytes of a message in a datagram
// to the peer.
func (c *Comparer) Begin(out []Outcome, now time.Time, p *Peer, t *members.Table, room int) []Outcome {
	p.round.end()
	return c.Continue(out, now, p, t, room)
}

// Continue begins another round of a comparison: it sends the hashes of this node's buckets, part by part as they are
// answered. The larger table determines the number of buckets.
func (c *Comparer) Continue(out []Outcome, now time.Time, p *Peer, t *members.Table, room int) []Outcome {
	r := &p.round
	r.active = true
	if r.rounds == 0 {
		r.began = now
	}
	if r.rounds++; r.root != ownRoot(t) {
		r.idle = 0
	}
	r.idle++
	r.root, c.began = ownRoot(t), now
	r.bits, r.next, r.flight = bucketBits(max(t.Count(), min(p.count, members.Max))), 0, 0
	return r.sendParts(out, now, t, room)
}

// bucketBits returns how many leading bits of a member's hash select its bucket in a table of n members
// (PROTOCOL.md Y2).
func bucketBits(n int) uint8 {
	return uint8(min(bits.Len(uint(n/bucketFill)), bitsMax))
}

// sendParts sends parts of the round until flightMax parts are unanswered (PROTOCOL.md Y3).
func (r *round) sendParts(out []Outcome, now time.Time, t *members.Table, room int) []Outcome {
	per, all := uint32(min((room-overhead)/8, partBuckets)), uint32(1)<<r.bits
	for ; r.next < all && r.flight < flightMax; r.flight++ {
		part := t.BucketHashes(t.Salt(), r.bits, r.next, min(per, all-r.next))
		out = append(out, Outcome{Kind: SendBuckets, Buckets: wire.SyncBuckets{Bits: r.bits, First: r.next, Hashes: packHashes(part), Salt: t.Salt()}})
		r.next += uint32(len(part))
	}
	r.sent = now
	return append(out, Outcome{Kind: Wait, At: r.due()})
}

func packHashes(hashes []uint64) []byte {
	b := make([]byte, 0, 8*len(hashes))
	for _, h := range hashes {
		b = binary.BigEndian.AppendUint64(b, h)
	}
	return b
}

// Tick continues a comparison at NextTimeout: a part or its answer was lost, or the answers left a difference. joining
// says whether this node joins the cluster through the peer. ended reports whether the comparison has ended
// (PROTOCOL.md Y6).
func (c *Comparer) Tick(out []Outcome, now time.Time, p *Peer, t *members.Table, room int, joining bool) (_ []Outcome, ended bool) {
	r := &p.round
	switch {
	case !r.active || r.due().After(now):
	case !r.whole(): // the next round repeats what was lost
		r.flight = 0
		out = r.sendParts(out, now, t, room)
	case r.idle >= rounds && joining && t.Count() == 1: // no entry arrived at all, so losses are high
		out = c.Begin(append(out, Outcome{Kind: SendSelf}), now, p, t, room)
	case r.idle >= rounds || r.rounds >= roundsMax:
		r.end()
		p.differs.note(now, ownRoot(t))
		return out, true
	default:
		out = c.Continue(out, now, p, t, room)
	}
	return out, false
}

// Retry is how long to delay a Tick while the last message has not left this node.
const Retry = retry
