package node

import (
	"slices"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/status"
)

// Keys are the pre-shared keys of a node, and what its operator should know of them.
type Keys struct {
	Keys     []handshake.Key
	Known    []status.Key // what may be shown of them, the primary one first
	Warnings []string     // each a sentence that shows no key
	Default  bool         // the key of gwyh 0.1, which keeps nobody out, is one of them
	Weak     int          // keys that can be guessed, the default one among them
}

// remindEvery is the time between two reminders that keys are weak, while the node has company.
const remindEvery = time.Hour

// A keyWatch gives the core the keys whenever they change. It logs each warning about them at once and, while the node has
// company, again every hour: a warning at the start is not read by whoever operates the node a month later.
type keyWatch struct {
	loop *loop
	keys func() Keys
	log  Log

	reminded time.Time // when the warnings were last logged; owned by the loop

	mu   sync.Mutex // guards last
	last Keys       // without the keys
}

// first returns the keys that a core is made with.
func (w *keyWatch) first(now time.Time) []handshake.Key {
	k := w.keys()
	w.reminded = now
	w.warn(k)
	return k.Keys
}

// changed is called after each change of the keys, in the goroutine that made it.
func (w *keyWatch) changed() {
	var k Keys
	err := w.loop.do(func(now time.Time) {
		k = w.keys()
		w.loop.core.SetKeys(now, k.Keys)
	})
	if err == nil {
		w.warn(k)
	}
}

// warn logs the warnings that are new.
func (w *keyWatch) warn(k Keys) {
	k.Keys = nil
	w.mu.Lock()
	before := w.last.Warnings
	w.last = k
	w.mu.Unlock()
	for _, text := range k.Warnings {
		if !slices.Contains(before, text) {
			w.log.Warnf("%s", text)
		}
	}
}

// present returns what is known of the keys, without the keys.
func (w *keyWatch) present() Keys {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// remind has all warnings logged again by another goroutine, if that is due. company says whether other nodes are members.
func (w *keyWatch) remind(now time.Time, company bool, call func(func()) bool) {
	if !company || now.Sub(w.reminded) < remindEvery {
		return
	}
	w.reminded = now
	if k := w.present(); len(k.Warnings) > 0 {
		call(func() {
			for _, text := range k.Warnings {
				w.log.Warnf("%s", text)
			}
		})
	}
}
