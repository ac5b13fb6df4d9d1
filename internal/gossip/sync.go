package gossip

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and sizes of the comparison of tables (docs/PROTOCOL.md, "Sync").
const (
	syncBucketFill = 8                      // members to a bucket, on average
	syncBitsMax    = 14                     // 2^14 buckets at most
	syncRetry      = 250 * time.Millisecond // a comparison is begun again, later each time it drew no answer,
	syncRetryMax   = 3                      // but not doubled more often
	syncRounds     = 4                      // comparisons in a row that change nothing, before a difference is left to the heartbeats,
	syncRoundsMax  = 16                     // those that do,
	syncAnswered   = 2                      // and those that were answered by a table that is no larger
	syncPause      = 500 * time.Millisecond // between comparisons that heartbeats cause
	syncCalm       = 250 * time.Millisecond // a table unchanged for so long should agree with the neighbours'
	syncAgain      = 2 * time.Second        // until tables are compared again that differed in the end, doubled each time
	syncAgainMax   = 30 * time.Second       // and at most
	syncMismatches = 2                      // in one that changes all the time, heartbeats in a row that do not, before we compare
	syncOverhead   = 64                     // bytes of a message that carries hashes or buckets beyond them
	syncParts      = 32                     // parts of a comparison answered per peer and syncWindow
	syncWindow     = 100 * time.Millisecond
	syncAnswers    = 64   // datagrams of entries sent at once in answer to one message,
	syncFew        = 4    // when the node has sent many in this window
	syncMany       = 256  // that is so many,
	syncAnswersAll = 4096 // and then no more
	syncPart       = 128  // buckets whose hashes go out at once
	syncFlight     = 2    // such parts without an answer
)

// syncRate bounds the parts of a comparison that one peer is answered.
var syncRate = quota.Rate{Burst: syncParts, Every: syncWindow / syncParts}

// syncing is a comparison of tables that we began with a peer: the hashes of our buckets go out, the
// peer answers with its entries of those that differ, asks for ours, and ends with its root.
type syncing struct {
	active   bool
	began    time.Time // when the first round of this one, or the last one, went out
	sent     time.Time // and the newest
	rounds   int
	answered int    // of the rounds
	idle     int    // of them in a row that changed nothing here
	root     uint64 // ours when the last one began
	mismatch int    // heartbeats in a row with another root than ours

	width  uint8  // of the buckets of the round in progress
	next   uint32 // the first that was not sent yet
	flight int    // parts without an answer
}

// differing is two roots between which comparing did not bring agreement: one side keeps a node out that
// the other has.
type differing struct {
	latest       uint64 // the root that the peer told last while we compared
	ours, theirs uint64
	times        uint8     // in a row
	until        time.Time // before which the same two are not compared again
}

// note follows a comparison that left a difference.
func (d *differing) note(now time.Time, ours uint64) {
	if d.ours != ours || d.theirs != d.latest {
		d.ours, d.theirs, d.times = ours, d.latest, 0
	}
	d.until = now.Add(min(syncAgain<<d.times, syncAgainMax))
	d.times = min(d.times+1, 8)
}

// inVain reports whether two roots were compared lately without effect.
func (d *differing) inVain(now time.Time, ours, theirs uint64) bool {
	return d.ours == ours && d.theirs == theirs && now.Before(d.until)
}

// end ends it, or makes ready for another.
func (s *syncing) end() { *s = syncing{began: s.began} }

// due is when to compare again: a peer that does not answer has much to do.
func (s *syncing) due() time.Time {
	return s.sent.Add(syncRetry << min(max(s.rounds-s.answered-1, 0), syncRetryMax))
}

// outlay is the datagrams of entries that this node sent to whoever asked. It bounds what many that ask at
// once cost it: each gets a few members then, and asks those.
type outlay struct {
	since time.Time
	sent  int
}

// most is how many datagrams one message may draw now.
func (o *outlay) most(now time.Time) int {
	if now.Sub(o.since) >= syncWindow {
		*o = outlay{since: now}
	}
	switch {
	case o.sent < syncMany:
		return syncAnswers
	case o.sent < syncAnswersAll:
		return syncFew
	}
	return 0
}

// greet begins a Join's exchange: ourselves, and the hashes of what we know.
func (c *Core) greet(now time.Time, p *peer) {
	w := c.entries(p)
	w.add(now, c.self)
	w.flush(now)
	p.sync.end()
	c.compare(now, p)
}

// compare begins a round: the hashes of our buckets go out, part by part as they are answered. There are as
// many buckets as the larger table needs.
func (c *Core) compare(now time.Time, p *peer) {
	x := &p.sync
	x.active = true
	if x.rounds == 0 {
		x.began = now
	}
	if x.rounds++; x.root != c.members.Root() {
		x.idle = 0
	}
	x.idle++
	x.root, c.syncedAt = c.members.Root(), now
	x.width, x.next, x.flight = bucketBits(max(c.members.Count(), min(p.tableSize, members.Max))), 0, 0
	c.sendParts(now, p)
}

// sendParts sends what may go out of the round.
func (c *Core) sendParts(now time.Time, p *peer) {
	x := &p.sync
	hashes := c.members.BucketHashes(x.width)
	per := uint32(min((p.packets.Room()-syncOverhead)/8, syncPart))
	for ; x.next < uint32(len(hashes)) && x.flight < syncFlight; x.flight++ {
		part := hashes[x.next:min(x.next+per, uint32(len(hashes)))]
		c.plain = wire.AppendSyncBuckets(c.plain[:0], c.newID(), wire.SyncBuckets{Bits: x.width, First: x.next, Hashes: packHashes(part)})
		c.sendPlain(now, p, c.plain)
		x.next += uint32(len(part))
	}
	x.sent = now
	c.timers.Advance(&p.timer, x.due())
}

// bucketBits is how many leading bits of a member's hash name its bucket in a table of n.
func bucketBits(n int) uint8 {
	return uint8(min(bits.Len(uint(n/syncBucketFill)), syncBitsMax))
}

func packHashes(hashes []uint64) []byte {
	b := make([]byte, 0, 8*len(hashes))
	for _, h := range hashes {
		b = binary.BigEndian.AppendUint64(b, h)
	}
	return b
}

// handleSyncBuckets answers a comparison: for the buckets that differ, what we know and a request for
// what the peer knows; then our root, which ends the answer.
func (c *Core) handleSyncBuckets(now time.Time, p *peer, data []byte) {
	theirs, err := wire.ParseSyncBuckets(data)
	if err != nil || theirs.Bits > syncBitsMax || uint64(theirs.First)+uint64(theirs.Len()) > 1<<theirs.Bits {
		c.drop(DropMalformedBody)
		return
	}
	if !p.compared.Take(now, syncRate) {
		c.drop(DropOversize)
		return
	}
	ours := c.members.BucketHashes(theirs.Bits)
	differs := make([]bool, len(ours))
	var want []byte
	for i := range theirs.Len() {
		n := theirs.First + uint32(i)
		if theirs.At(i) != ours[n] {
			differs[n] = true
			if theirs.At(i) != 0 {
				want = binary.BigEndian.AppendUint32(want, n)
			}
		}
	}
	c.sendBuckets(now, p, theirs.Bits, differs, time.Time{})
	c.sendWant(now, p, theirs.Bits, want)
	c.plain = wire.AppendSyncRoot(c.plain[:0], c.newID(), c.rootFor(now, p))
	c.sendPlain(now, p, c.plain)
}

// handleSyncWant sends our entries of the buckets that the peer asks for, but for what became known after
// we compared: most of that is the peer's own answer.
func (c *Core) handleSyncWant(now time.Time, p *peer, data []byte) {
	w, err := wire.ParseSyncWant(data)
	if err != nil || w.Bits > syncBitsMax {
		c.drop(DropMalformedBody)
		return
	}
	if !p.compared.Take(now, syncRate) {
		c.drop(DropOversize)
		return
	}
	wanted := make([]bool, 1<<w.Bits)
	for i := range w.Len() {
		if n := w.At(i); n < uint32(len(wanted)) {
			wanted[n] = true
		}
	}
	c.sendBuckets(now, p, w.Bits, wanted, p.sync.began)
}

// sendBuckets sends the members of some buckets. Those that are too many are sent bucket by bucket, so that the
// peer, when it asks with smaller ones, has some whole; and where many ask, to each others. Where known is not
// zero only those known by then.
func (c *Core) sendBuckets(now time.Time, p *peer, width uint8, which []bool, known time.Time) {
	var list []*members.Entry
	for m := range c.members.Each {
		if which[members.Bucket(m.ID, width)] && (known.IsZero() || !m.Since.After(known)) {
			list = append(list, m)
		}
	}
	most := c.outlay.most(now)
	if len(list) > most {
		slices.SortFunc(list, func(a, b *members.Entry) int { return cmp.Compare(members.Hash(a.ID), members.Hash(b.ID)) })
		if most < syncAnswers {
			at := c.rng.IntN(len(list))
			list = append(list[at:], list[:at]...)
		}
	}
	w := c.answers(p)
	for _, m := range list {
		if w.sent+1 >= most {
			break
		}
		w.add(now, m)
	}
	w.flush(now)
	c.outlay.sent += w.sent
}

func (c *Core) sendWant(now time.Time, p *peer, width uint8, want []byte) {
	per := (p.packets.Room() - syncOverhead) / 4 * 4
	for len(want) > 0 {
		n := min(per, len(want))
		c.plain = wire.AppendSyncWant(c.plain[:0], c.newID(), wire.SyncWant{Bits: width, Buckets: want[:n]})
		c.sendPlain(now, p, c.plain)
		want = want[n:]
	}
}

// correct tells p what we know of a member that it is behind on.
func (c *Core) correct(now time.Time, p *peer, m *members.Entry) {
	w := c.answers(p)
	w.add(now, m)
	w.flush(now)
}

// handleSyncRoot compares a root. It ends the peer's answer to a comparison; with a heartbeat it shows
// a difference that, when it stays, is worth a comparison.
func (c *Core) handleSyncRoot(now time.Time, p *peer, data []byte) {
	theirs, err := wire.ParseSyncRoot(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	c.noteHearing(now, p, time.Duration(theirs.Heard)*time.Millisecond)
	p.tableSize = int(theirs.Count)
	switch {
	case theirs.Root == c.members.Root():
		p.sync.end()
		c.joinSynced(now, p)
	case p.sync.active:
		p.differs.latest = theirs.Root
		x := &p.sync
		x.flight = max(x.flight-1, 0)
		if x.next < 1<<x.width {
			c.sendParts(now, p)
			return
		}
		// The answers left a difference, or others join meanwhile: the timer compares again, but not for ever
		// unless part of the answers was lost, and not when they told nothing: one side keeps somebody out then.
		if x.flight > 0 {
			return
		}
		x.answered++
		n := c.members.Count()
		vain := n > 1 && x.root == c.members.Root()
		if (vain || x.answered >= syncAnswered) && int(theirs.Count) <= n {
			p.differs.note(now, c.members.Root())
			x.end()
			c.joinSynced(now, p)
		}
	case p.differs.inVain(now, c.members.Root(), theirs.Root):
	default:
		p.sync.mismatch++
		calm := now.Sub(c.changed) >= syncCalm
		if (calm || p.sync.mismatch >= syncMismatches) && now.Sub(c.syncedAt) >= syncPause {
			p.sync.end()
			c.compare(now, p)
		}
	}
}

// tickSync begins a comparison again that got no answer, or whose answer left a difference.
func (c *Core) tickSync(now time.Time, p *peer) time.Time {
	if !p.sync.active {
		return time.Time{}
	}
	if due := p.sync.due(); due.After(now) {
		return due
	}
	if c.unwritten(p.set.Path().Remote) {
		return now.Add(syncRetry)
	}
	if p.sync.next < 1<<p.sync.width { // a part or its answer was lost: the next round has it again
		p.sync.flight = 0
		c.sendParts(now, p)
		return p.sync.due()
	}
	if p.sync.idle >= syncRounds && c.members.Count() == 1 && c.joining(p) { // much is lost here
		c.greet(now, p)
		return p.sync.due()
	}
	if p.sync.idle >= syncRounds || p.sync.rounds >= syncRoundsMax {
		p.sync.end()
		p.differs.note(now, c.members.Root())
		c.joinSynced(now, p)
		return time.Time{}
	}
	c.compare(now, p)
	return p.sync.due()
}

// settle brings the next heartbeats forward when the table has just changed and then been calm, so
// that the neighbours soon find out who missed the news.
func (c *Core) settle(now time.Time) {
	for _, p := range c.links {
		c.heartbeat(now, p)
	}
}
