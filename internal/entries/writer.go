package entries

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Writer packs entries for one peer into as few datagrams as possible.
type Writer struct {
	Sent int // number of datagrams sent

	e     *Entries
	p     *delivery.Peer
	begin func(b []byte, id wire.MessageID) wire.MembersWriter
	mb    wire.MembersWriter
	limit int
	open  bool
}

// News returns a writer of news for p.
func (e *Entries) News(p *delivery.Peer) Writer {
	return Writer{e: e, p: p, begin: wire.BeginMembers, limit: p.Packets.Room()}
}

// Answers returns a writer of entries that p requested, or that its table lacks.
func (e *Entries) Answers(p *delivery.Peer) Writer {
	return Writer{e: e, p: p, begin: wire.BeginSyncMembers, limit: p.Packets.Room()}
}

// Add writes the entry of m and its accusations.
func (w *Writer) Add(now time.Time, m *members.Entry) {
	w.Append(now, m.Fill(&w.e.entry))
	w.addAccusers(now, m, true)
}

// AddAccusation writes an accusation of m by one node.
func (w *Writer) AddAccusation(now time.Time, m wire.NodeID, incarnation uint64, by wire.NodeID) {
	e := &w.e.entry
	e.State, e.ID, e.Incarnation, e.From = wire.StateSuspect, m, incarnation, by
	w.Append(now, e)
}

// addAccusers writes the accusations of m: all of them, or only those not passed on yet.
func (w *Writer) addAccusers(now time.Time, m *members.Entry, all bool) {
	accusers, incarnation := w.e.cfg.Detector.Accusers(m, all)
	for _, by := range accusers {
		w.AddAccusation(now, m.ID, incarnation, by)
	}
}

// Append writes one entry. If the current message is full, Append sends it first.
func (w *Writer) Append(now time.Time, e *wire.Member) {
	if w.p.Legacy { // gwyh 0.1 has no entries
		return
	}
	if w.open && w.mb.Append(e, w.limit) {
		return
	}
	if w.open {
		w.p.Packets.Widen(now)
	}
	w.Flush(now)
	w.mb = w.begin(w.e.sender.Begin(), w.e.newID())
	w.open = true
	if !w.mb.Append(e, max(w.limit, delivery.ControlMax)) { // an entry too large for one datagram to p is sent in pieces
		w.e.drop(stats.DropOversize)
	}
}

// Flush sends the current message.
func (w *Writer) Flush(now time.Time) {
	if w.open {
		w.e.sender.Send(now, w.p, w.mb.End())
		w.open = false
		w.Sent++
	}
}
