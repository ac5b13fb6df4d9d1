package pull

import (
	"container/list"
	"hash/maphash"
	"time"
	"unsafe"
)

// Bounds of what is known of the slices handed out.
const (
	age      = 30 * time.Second // how long a slice is known after it was last handed out, at least
	maxBytes = 8 << 20          // of the slices that are kept
)

// A message is a slice that the application handed out, with the content that it had then. The slice is kept so
// that no other message can get its address. Its bytes may change at any time and are not read again.
type message struct {
	data        []byte
	hash        uint64    // of the content
	at          time.Time // when it was last handed out
	poll        uint64    // by which poll
	first       time.Time // when its content was new
	told        uint64    // the number of the last newcomer that it was repeated to, or that needs no repeat
	rebroadcast bool      // this node did not send it, because every node had just been sent the same bytes
}

// A table knows the slices that were handed out lately. A slice with the content that it had before is the same
// message. A slice with another content is another message: the application has reused a buffer.
type table struct {
	seed   maphash.Seed
	byAddr map[*byte][]*list.Element // of recent; almost always one for an address
	recent list.List                 // of *message; the one handed out last is at the back
	bytes  int                       // of recent
	polls  uint64                    // so far
	room   uint64                    // the last poll that had room for more than it gave: nothing else was in the queue
}

// take returns the message of a slice that is handed out now, and whether it is known already.
func (t *table) take(now time.Time, b []byte) (m *message, again bool) {
	if t.byAddr == nil {
		t.byAddr, t.seed = make(map[*byte][]*list.Element), maphash.MakeSeed()
	}
	m = &message{data: b, hash: maphash.Bytes(t.seed, b), at: now, poll: t.polls, first: now}
	if len(b) == 0 { // it has no address of its own
		return m, false
	}
	if t.rewritten(b) {
		t.forgetBuffer(b)
	}
	first := unsafe.SliceData(b)
	for _, e := range t.byAddr[first] {
		if known := e.Value.(*message); len(known.data) == len(b) {
			known.at, known.poll = now, t.polls
			t.recent.MoveToBack(e)
			return known, true
		}
	}
	t.byAddr[first] = append(t.byAddr[first], t.recent.PushBack(m))
	t.bytes += len(b)
	return m, false
}

// rewritten reports whether a known slice with the address of b may have another content now. Of a longer one
// only the beginning is in b, so that nobody can tell.
func (t *table) rewritten(b []byte) bool {
	for _, e := range t.byAddr[unsafe.SliceData(b)] {
		known := e.Value.(*message)
		if len(known.data) > len(b) {
			if !t.knows(b) {
				return true
			}
		} else if maphash.Bytes(t.seed, b[:len(known.data)]) != known.hash {
			return true
		}
	}
	return false
}

// knows reports whether b is known as it is.
func (t *table) knows(b []byte) bool {
	for _, e := range t.byAddr[unsafe.SliceData(b)] {
		if known := e.Value.(*message); len(known.data) == len(b) {
			return maphash.Bytes(t.seed, b) == known.hash
		}
	}
	return false
}

// forgetBuffer forgets all slices of the buffer that begins with b: what an application writes into it later is
// new, whatever it was before.
func (t *table) forgetBuffer(b []byte) {
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	var next *list.Element
	for e := t.recent.Front(); e != nil; e = next {
		next = e.Next()
		at := uintptr(unsafe.Pointer(unsafe.SliceData(e.Value.(*message).data)))
		if at >= begin && at < begin+uintptr(cap(b)) {
			t.remove(e)
		}
	}
}

// forget forgets the slices that were not handed out for long, and the oldest ones while they hold too many
// bytes. A slice is not old before a poll has had room for it and did not give it: on a busy machine the messages of a
// long queue come again later than age.
func (t *table) forget(now time.Time) {
	for e := t.recent.Front(); e != nil; e = t.recent.Front() {
		m := e.Value.(*message)
		old := now.Sub(m.at) >= age && t.room > m.poll
		if !old && t.bytes <= maxBytes {
			return
		}
		t.remove(e)
	}
}

func (t *table) remove(e *list.Element) {
	m := t.recent.Remove(e).(*message)
	first := unsafe.SliceData(m.data)
	t.bytes -= len(m.data)
	all := t.byAddr[first]
	for i := range all {
		if all[i] == e {
			all = append(all[:i:i], all[i+1:]...)
			break
		}
	}
	if t.byAddr[first] = all; len(all) == 0 {
		delete(t.byAddr, first)
	}
}
