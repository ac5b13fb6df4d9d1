package carrier

import (
	"slices"
	"time"
)

// A flush waits until all datagrams queued before it have been written or dropped. It does not wait for a destination
// where one write takes longer than slowWrite to twice that.
type flush struct {
	awaited []awaited
	ended   chan struct{}
	timer   *time.Timer
}

// awaited is a destination, the value of done that the flush waits for there, and the datagram that was being written
// at the last look.
type awaited struct {
	d       *destination
	done    uint64
	writing uint64
}

// flushed returns a channel that is closed when all datagrams queued so far have been written or dropped.
func (w *writers) flushed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := &flush{ended: make(chan struct{})}
	for _, d := range w.to {
		f.awaited = append(f.awaited, awaited{d, d.taken, d.current()})
	}
	if len(f.awaited) == 0 {
		close(f.ended)
		return f.ended
	}
	f.timer = time.AfterFunc(slowWrite, func() { w.look(f) })
	w.flushes = append(w.flushes, f)
	return f.ended
}

// look stops the wait of a flush for each destination where the same datagram is being written as at the last look.
func (w *writers) look(f *flush) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.flushes, f) {
		return
	}
	f.awaited = slices.DeleteFunc(f.awaited, func(a awaited) bool { return a.writing > 0 && a.writing == a.d.current() })
	for i := range f.awaited {
		f.awaited[i].writing = f.awaited[i].d.current()
	}
	f.timer.Reset(slowWrite)
	w.checkFlushes()
}

// checkFlushes ends the flushes that have nothing left to wait for. After stop is closed it ends all flushes.
func (w *writers) checkFlushes() {
	if len(w.flushes) == 0 {
		return
	}
	w.flushes = slices.DeleteFunc(w.flushes, func(f *flush) bool {
		f.awaited = slices.DeleteFunc(f.awaited, func(a awaited) bool { return a.d.done >= a.done })
		if len(f.awaited) > 0 && !w.stopped() {
			return false
		}
		f.timer.Stop()
		close(f.ended)
		return true
	})
}
