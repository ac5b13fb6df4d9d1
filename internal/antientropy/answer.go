package antientropy

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// partRate limits the answered parts of one peer's comparisons.
var partRate = quota.Rate{Burst: parts, Every: window / parts}

// Errors for messages of a peer that are counted and not answered.
var (
	ErrMalformed = errors.New("antientropy: malformed message")
	ErrTooMany   = errors.New("antientropy: too many parts of comparisons")
)

// Sent records how many messages the last SendEntries took.
func (c *Comparer) Sent(messages int) { c.spent.sent += messages }

// HandleBuckets answers a part of a peer's comparison. For the buckets that differ it sends this node's entries and
// requests the peer's. The root of this node ends the answer (PROTOCOL.md Y4).
func (c *Comparer) HandleBuckets(out []Outcome, now time.Time, p *Peer, t *members.Table, data []byte, room int) ([]Outcome, error) {
	theirs, err := wire.ParseSyncBuckets(data)
	if err != nil || theirs.Bits > bitsMax {
		return out, ErrMalformed
	}
	if !p.requests.Take(now, partRate) {
		return out, ErrTooMany
	}
	ours := t.BucketHashes(theirs.Salt, theirs.Bits, theirs.First, uint32(theirs.Len()))
	var differs []uint32
	var want []byte
	for i := range theirs.Len() {
		if theirs.At(i) == ours[i] {
			continue
		}
		n := theirs.First + uint32(i)
		if differs = append(differs, n); theirs.At(i) != 0 {
			want = binary.BigEndian.AppendUint32(want, n)
		}
	}
	out = c.sendBuckets(out, now, t, theirs.Bits, differs, time.Time{}, room)
	out = sendWant(out, theirs.Bits, want, room)
	return append(out, Outcome{Kind: SendRoot}), nil
}

// sendWant requests the entries of buckets, in as many messages as needed.
func sendWant(out []Outcome, bits uint8, want []byte, room int) []Outcome {
	per := (room - overhead) / 4 * 4
	for part := range slices.Chunk(want, per) {
		out = append(out, Outcome{Kind: SendWant, Want: wire.SyncWant{Bits: bits, Buckets: part}})
	}
	return out
}

// HandleWant sends this node's entries of the buckets that the peer requests, except entries learned after the
// comparison began: most of these are the peer's own answer (PROTOCOL.md Y5).
func (c *Comparer) HandleWant(out []Outcome, now time.Time, p *Peer, t *members.Table, data []byte, room int) ([]Outcome, error) {
	w, err := wire.ParseSyncWant(data)
	if err != nil || w.Bits > bitsMax {
		return out, ErrMalformed
	}
	if !p.requests.Take(now, partRate) {
		return out, ErrTooMany
	}
	wanted := make([]uint32, w.Len())
	for i := range wanted {
		wanted[i] = w.At(i) // the parser checks its range
	}
	slices.Sort(wanted)
	return c.sendBuckets(out, now, t, w.Bits, slices.Compact(wanted), p.round.began, room), nil
}

// sendBuckets sends the members of some buckets. If known is not zero, it sends only those known by then. Too many
// members are sent bucket by bucket, so that some buckets are complete when the peer asks with smaller ones. If many
// nodes ask, each gets other members. The work is bounded by the size of the answer, not by that of the table.
func (c *Comparer) sendBuckets(out []Outcome, now time.Time, t *members.Table, bits uint8, which []uint32, known time.Time, room int) []Outcome {
	limit := c.spent.limit(now)
	if limit == 0 {
		return out
	}
	if limit < AnswersMax && len(which) > 0 {
		at := c.rng.IntN(len(which))
		which = slices.Concat(which[at:], which[:at])
	}
	most := max(limit*room/entryMin, drawnMin)
	list := t.FirstInBuckets(bits, which, most, func(m *members.Entry) bool {
		return known.IsZero() || !t.Since(m).After(known)
	})
	switch {
	case len(list) <= limit:
		t.Sort(list)
	default:
		slices.SortFunc(list, func(a, b *members.Entry) int { return cmp.Compare(members.Hash(a.ID), members.Hash(b.ID)) })
		if limit < AnswersMax {
			at := c.rng.IntN(len(list))
			list = append(list[at:], list[:at]...)
		}
	}
	if len(list) == 0 {
		return out
	}
	return append(out, Outcome{Kind: SendEntries, Entries: list, Max: limit})
}
