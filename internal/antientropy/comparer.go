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
	bucketFill  = 8                      // members in a bucket, on average
	bitsMax     = members.BucketBitsMax  // at most 2^14 buckets
	retry       = 250 * time.Millisecond // until a round without an answer is followed by another, doubled for each that had none,
	retryMax    = 3                      // but not more often than this
	rounds      = 4                      // rounds in a row that change nothing, after which a difference is left to the heartbeats
	roundsMax   = 16                     // rounds in all
	partBuckets = 128                    // buckets in one part of a round
	flightMax   = 2                      // parts without an answer
	overhead    = 64                     // bytes of a message that carries hashes or buckets beyond them
)

// A Comparer is a node's side of all its comparisons. Make one with New. Not for concurrent use.
type Comparer struct {
	rng   *rand.Rand
	began time.Time // when this node last began a round
	spent budget    // on answers
}

// New returns a Comparer that draws from rng.
func New(rng *rand.Rand) Comparer { return Comparer{rng: rng} }

// A Peer is what a Comparer keeps of one peer. The zero value is ready.
type Peer struct {
	round   round
	differs difference
	count   int          // members that the peer has, as it said last
	asked   quota.Bucket // parts of comparisons that the peer is answered
}

// A round is a comparison that this node began. The zero value is one that has not begun.
type round struct {
	active     bool
	began      time.Time // when the first round of this comparison, or of the one before it, was sent
	sent       time.Time // when the last part was sent
	rounds     int       // in this comparison
	answered   int       // of them
	idle       int       // of them in a row that changed nothing in our table
	root       uint64    // ours when the last one began
	mismatches int       // heartbeats in a row with another root than ours

	bits   uint8  // there are 2^bits buckets
	next   uint32 // the first bucket that was not sent yet
	flight int    // parts without an answer
}

// end ends the comparison, or prepares for another.
func (r *round) end() { *r = round{began: r.began} }

// whole reports whether all parts of the round were sent.
func (r *round) whole() bool { return r.next >= 1<<r.bits }

// due is when to go on without an answer. A peer that does not answer has much to do.
func (r *round) due() time.Time {
	return r.sent.Add(retry << min(max(r.rounds-r.answered-1, 0), retryMax))
}

// Active reports whether this node compares its table with the peer's.
func (p *Peer) Active() bool { return p.round.active }

// Waiting reports whether parts of a comparison have no answer yet.
func (p *Peer) Waiting() bool { return p.round.flight > 0 }

// LastRoot is the last root that the peer sent during a comparison.
func (p *Peer) LastRoot() uint64 { return p.differs.latest }

// End ends a comparison.
func (p *Peer) End() { p.round.end() }

// NextTimeout is when Tick wants to be called; zero for never.
func (p *Peer) NextTimeout() time.Time {
	if !p.round.active {
		return time.Time{}
	}
	return p.round.due()
}

// Begin begins a comparison with a peer, or begins it anew. room is the bytes of a message that a datagram to the
// peer holds.
func (c *Comparer) Begin(out []Outcome, now time.Time, p *Peer, t *members.Table, room int) []Outcome {
	p.round.end()
	return c.Continue(out, now, p, t, room)
}

// Continue begins another round of a comparison: it sends the hashes of our buckets, part by part as they are
// answered. There are as many buckets as the larger table needs.
func (c *Comparer) Continue(out []Outcome, now time.Time, p *Peer, t *members.Table, room int) []Outcome {
	r := &p.round
	r.active = true
	if r.rounds == 0 {
		r.began = now
	}
	if r.rounds++; r.root != t.Root() {
		r.idle = 0
	}
	r.idle++
	r.root, c.began = t.Root(), now
	r.bits, r.next, r.flight = bucketBits(max(t.Count(), min(p.count, members.Max))), 0, 0
	return r.sendParts(out, now, t, room)
}

// bucketBits is how many leading bits of a member's hash name its bucket in a table of n members.
func bucketBits(n int) uint8 {
	return uint8(min(bits.Len(uint(n/bucketFill)), bitsMax))
}

// sendParts sends as many parts of the round as may be without an answer.
func (r *round) sendParts(out []Outcome, now time.Time, t *members.Table, room int) []Outcome {
	per, all := uint32(min((room-overhead)/8, partBuckets)), uint32(1)<<r.bits
	for ; r.next < all && r.flight < flightMax; r.flight++ {
		part := t.BucketHashes(r.bits, r.next, min(per, all-r.next))
		out = append(out, Outcome{Kind: SendBuckets, Buckets: wire.SyncBuckets{Bits: r.bits, First: r.next, Hashes: packHashes(part)}})
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

// Tick goes on with a comparison at NextTimeout: a part, or its answer, was lost, or the answers left a
// difference. joining says that this node joins the cluster through the peer. ended reports that the comparison
// has ended.
func (c *Comparer) Tick(out []Outcome, now time.Time, p *Peer, t *members.Table, room int, joining bool) (_ []Outcome, ended bool) {
	r := &p.round
	switch {
	case !r.active || r.due().After(now):
	case !r.whole(): // the next round has again what was lost
		r.flight = 0
		out = r.sendParts(out, now, t, room)
	case r.idle >= rounds && joining && t.Count() == 1: // nothing came of all this: much is lost
		out = c.Begin(append(out, Outcome{Kind: SendSelf}), now, p, t, room)
	case r.idle >= rounds || r.rounds >= roundsMax:
		r.end()
		p.differs.note(now, t.Root())
		return out, true
	default:
		out = c.Continue(out, now, p, t, room)
	}
	return out, false
}

// Retry is how long to put off a Tick while what was sent last has not left this node.
const Retry = retry
