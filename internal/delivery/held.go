package delivery

import (
	"bytes"
	"time"

	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the messages kept while there is no link (docs/DESIGN.md, "Broadcast").
const (
	heldMax   = 1024
	heldBytes = 1 << 20
	heldAge   = 30 * time.Second
)

// Held is a message of this node that waits for its first link.
type Held struct {
	ID   wire.MessageID
	Data []byte
	at   time.Time
}

// A HeldQueue keeps messages of this node while it has no link. The zero value is empty (PROTOCOL.md D2).
type HeldQueue struct {
	Count   uint64 // messages added; it only increases
	Dropped uint64 // messages dropped because no link came up in time or there was no room; it only increases

	messages []Held
}

// Add keeps a copy of a message of this node until there is a link. If there is no room, it drops the oldest messages.
func (q *HeldQueue) Add(now time.Time, id wire.MessageID, data []byte) {
	size := len(data) + q.Bytes()
	for len(q.messages) > 0 && (len(q.messages) >= heldMax || size > heldBytes) {
		size -= len(q.messages[0].Data)
		q.drop()
	}
	q.Count++
	q.messages = append(q.messages, Held{ID: id, Data: bytes.Clone(data), at: now})
}

// Bytes returns the total size of the kept messages.
func (q *HeldQueue) Bytes() (size int) {
	for _, h := range q.messages {
		size += len(h.Data)
	}
	return size
}

// Take removes and returns the kept messages, oldest first.
func (q *HeldQueue) Take(now time.Time) []Held {
	q.sweep(now)
	messages := q.messages
	q.messages = nil
	return messages
}

// sweep drops messages that have waited longer than heldAge. It returns false if none is left.
func (q *HeldQueue) sweep(now time.Time) (more bool) {
	for len(q.messages) > 0 && now.Sub(q.messages[0].at) > heldAge {
		q.drop()
	}
	return len(q.messages) > 0
}

func (q *HeldQueue) drop() {
	q.messages[0] = Held{}
	q.messages = q.messages[1:]
	q.Dropped++
}

// HeldBound returns the maximum memory of a HeldQueue in bytes.
func HeldBound() int { return heldBytes + heldMax*int(memory.Of[Held]()) }
