package peer

import (
	"encoding/binary"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// gather builds one plaintext from messages in the arena and returns it with the content to remember. The plaintext is
// valid until the next call of gather or the next Put into the arena. Contiguous messages, as those of one turn often
// are, are not copied and are remembered as one Ref. Otherwise gather puts an index into the arena.
func (e *Endpoint) gather(now time.Time, list []arena.Ref) (plain []byte, what content) {
	run := list[0]
	for _, m := range list[1:] {
		if m.Off != run.End() || !e.cfg.Arena.Together(run, m) {
			return e.gatherApart(now, list)
		}
		run.Size += m.Size
	}
	return e.cfg.Arena.Get(run), carries(run)
}

func (e *Endpoint) gatherApart(now time.Time, list []arena.Ref) (plain []byte, what content) {
	plain, index := e.joined[:0], e.index[:0]
	for _, m := range list {
		b := e.cfg.Arena.Get(m)
		if b == nil {
			e.stats.Forgotten++
			continue
		}
		plain = append(plain, b...)
		index = appendIndex(index, m)
	}
	e.joined, e.index = plain, index
	what = carries(e.cfg.Arena.Put(now, index))
	what.index = true
	return plain, what
}

func appendIndex(index []byte, m arena.Ref) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(index, m.Off), m.Size)
}

// eachKept calls yield for each part of a packet that is still in the arena: once if the messages are contiguous,
// otherwise once per message. It counts the parts that are gone.
func (e *Endpoint) eachKept(what *content, yield func(m arena.Ref, plain []byte)) {
	kept := e.cfg.Arena.Get(what.ref())
	switch {
	case kept == nil:
		e.stats.Forgotten++
		return
	case !what.index:
		yield(what.ref(), kept)
		return
	}
	for ; len(kept) >= indexEntry; kept = kept[indexEntry:] {
		m := arena.Ref{Off: binary.BigEndian.Uint64(kept), Size: binary.BigEndian.Uint32(kept[8:])}
		if plain := e.cfg.Arena.Get(m); plain != nil {
			yield(m, plain)
		} else {
			e.stats.Forgotten++
		}
	}
}

// messageIDAt is the offset of the id in an encoded message, after the array and bin headers.
const messageIDAt = 3

// IDOf returns the id of an encoded message.
func IDOf(message []byte) wire.MessageID { return wire.MessageID(message[messageIDAt:]) }
