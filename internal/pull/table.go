package pull

import (
	"container/list"
	"hash/maphash"
	"time"
	"unsafe"
)

// Bounds of the slices that are remembered.
const (
	age = 30 * time.Second // minimum time that a slice is remembered after it was last returned
)

// A message is a slice that the application returned, with the content that it had then. The table keeps the slice so
// that no other message can get its address. The bytes may change at any time and are not read again.
type message struct {
	data        []byte
	hash        uint64    // of the content
	at          time.Time // when it was last returned
	poll        uint64    // number of the poll that returned it last
	first       time.Time // when its content was new
	repeatedTo  uint64    // number of the last newcomer that it was repeated to or that needs no repeat
	rebroadcast bool      // not sent, because every node had just been sent the same bytes
}

// A table remembers the slices that were returned recently. A slice with unchanged content is the same message. A slice
// with changed content is another message: the application has reused a buffer.
type table struct {
	seed   maphash.Seed
	byAddr map[*byte][]*list.Element // elements of recent; almost always one per address
	recent list.List                 // of *message; the one returned last is at the back
	bytes  int                       // of recent
	polls  uint64                    // so far
	room   uint64                    // the last poll that was not full, so that it returned the whole queue
}

// take returns the message of a slice that the application returns now. again reports whether it was remembered.
func (t *table) take(now time.Time, b []byte) (m *message, again bool) {
	if t.byAddr == nil {
		t.byAddr, t.seed = make(map[*byte][]*list.Element), maphash.MakeSeed()
	}
	m = &message{data: b, hash: maphash.Bytes(t.seed, b), at: now, poll: t.polls, first: now}
	if len(b) == 0 { // an empty slice has no address of its own
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

// rewritten reports whether the content of a remembered slice at the address of b may have changed. If the remembered
// slice is longer than b, that cannot be decided.
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

// knows reports whether b is remembered with its present content.
func (t *table) knows(b []byte) bool {
	for _, e := range t.byAddr[unsafe.SliceData(b)] {
		if known := e.Value.(*message); len(known.data) == len(b) {
			return maphash.Bytes(t.seed, b) == known.hash
		}
	}
	return false
}

// forgetBuffer forgets all slices in the buffer that begins with b. What the application writes into the buffer later
// counts as new.
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

// forget forgets old slices, and the oldest ones while the slices exceed size bytes. A slice becomes old only after a
// poll that had room for it did not return it: on a busy machine, the messages of a long queue may be returned again
// later than age.
func (t *table) forget(now time.Time, size int) {
	for e := t.recent.Front(); e != nil; e = t.recent.Front() {
		m := e.Value.(*message)
		old := now.Sub(m.at) >= age && t.room > m.poll
		if !old && t.bytes <= size {
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
