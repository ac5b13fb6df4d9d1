package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Announcements of small messages wait for company, so that one message announces many.
const (
	batchFor = 5 * time.Millisecond // longest wait
	batchMax = 48                   // announcements in one message
)

// Announce announces to n a small message of size bytes of plaintext, together with others.
func (d *Disseminator) Announce(out []Outcome, now time.Time, n *Neighbor, id *wire.MessageID, size int) []Outcome {
	if n.batch.Len() == 0 {
		n.batchSince = now
	}
	n.batch.Add(id, uint32(size))
	d.Stats.Announced++
	n.credit = min(n.credit+triesMax, creditMax)
	if n.batch.Len() >= batchMax {
		out = d.SendBatch(out, n)
	}
	return out
}

// BatchDue returns when the announcements that wait for n are to be sent; zero if none wait.
func (n *Neighbor) BatchDue() time.Time {
	if n.batch.Len() == 0 {
		return time.Time{}
	}
	return n.batchSince.Add(batchFor)
}

// SendBatch sends the announcements that wait for n, if there are any.
func (d *Disseminator) SendBatch(out []Outcome, n *Neighbor) []Outcome {
	if n.batch.Len() == 0 {
		return out
	}
	out = append(out, Outcome{Kind: SendAnnouncement, To: n, Have: n.batch})
	n.batch.Reset()
	return out
}

// BatchWorth is how many small messages that wait for a neighbor are worth announcing instead, once it is lazy.
const BatchWorth = batchMax
