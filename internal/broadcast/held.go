package broadcast

import (
	"bytes"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the messages that are kept while there is no link (docs/DESIGN.md, "Broadcast").
const (
	heldMax   = 1024
	heldBytes = 1 << 20
	heldAge   = 30 * time.Second
)

// Held is a message of this node that waits for the first link.
type Held struct {
	ID   wire.MessageID
	Data []byte
	at   time.Time
}

// A HeldQueue keeps messages of this node while it has no link. The zero value is empty.
type HeldQueue struct {
	Count   uint64 // messages that were kept; it only grows
	Dropped uint64 // messages that found no link in time, or no room; it only grows

	messages []Held
}

// Add keeps a copy of a message of this node until there is a link. The oldest messages give way.
func (q *HeldQueue) Add(now time.Time, id wire.MessageID, data []byte) {
	size := len(data) + q.Bytes()
	for len(q.messages) > 0 && (len(q.messages) >= heldMax || size > heldBytes) {
		size -= len(q.messages[0].Data)
		q.drop()
	}
	q.Count++
	q.messages = append(q.messages, Held{ID: id, Data: bytes.Clone(data), at: now})
}

// Bytes returns the bytes of the messages that wait for the first link.
func (q *HeldQueue) Bytes() (size int) {
	for _, h := range q.messages {
		size += len(h.Data)
	}
	return size
}

// Take returns the messages that waited for the first link, oldest first. They do not wait any more.
func (q *HeldQueue) Take(now time.Time) []Held {
	q.sweep(now)
	messages := q.messages
	q.messages = nil
	return messages
}

// sweep drops what waited too long.
func (q *HeldQueue) sweep(now time.Time) {
	for len(q.messages) > 0 && now.Sub(q.messages[0].at) > heldAge {
		q.drop()
	}
}

func (q *HeldQueue) drop() {
	q.messages[0] = Held{}
	q.messages = q.messages[1:]
	q.Dropped++
}
