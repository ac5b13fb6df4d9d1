package node

import (
	"slices"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/status"
)

// Keys are the pre-shared keys of a node, and what its operator should know about them.
type Keys struct {
	Keys     []handshake.Key
	Known    []status.Key // a description that may be shown, the primary key first
	Warnings []string     // each a sentence that shows no key
	Default  bool         // the keys include the public key of gwyh 0.1, which keeps nobody out
	Weak     int          // number of keys that can be guessed, including the default one
}

// remindEvery is the time between two reminders of weak keys while there are other members.
const remindEvery = time.Hour

// A keyWatch passes the keys to the core whenever they change. It logs each warning about them at once, and again
// every hour while there are other members, because an operator may read the log long after the start.
type keyWatch struct {
	loop *loop
	keys func() Keys
	log  Log

	reminded time.Time // when the warnings were last logged; owned by the loop

	mu   sync.Mutex // guards last
	last Keys       // without the keys
}

// first returns the initial keys of the core.
func (w *keyWatch) first(now time.Time) []handshake.Key {
	k := w.keys()
	w.reminded = now
	w.warn(k)
	return k.Keys
}

// changed is called after each change of the keys, in the goroutine that made the change.
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

// present returns the current Keys, without the keys themselves.
func (w *keyWatch) present() Keys {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// remind lets another goroutine log all warnings again if that is due. company means that there are other members.
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
