package node

import (
	"slices"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
)

// A keyWatch gives the core the keys whenever they change, and logs each warning about them once.
type keyWatch struct {
	loop *loop
	keys func() (keys []handshake.Key, warnings []string)
	log  Log

	mu   sync.Mutex // guards told
	told []string   // the warnings of the last keys
}

// first returns the keys that a core is made with.
func (w *keyWatch) first() []handshake.Key {
	keys, warnings := w.keys()
	w.warn(warnings)
	return keys
}

// changed is called after each change of the keys, in the goroutine that made it.
func (w *keyWatch) changed() {
	var warnings []string
	err := w.loop.do(func(now time.Time) {
		var keys []handshake.Key
		keys, warnings = w.keys()
		w.loop.core.SetKeys(now, keys)
	})
	if err == nil {
		w.warn(warnings)
	}
}

func (w *keyWatch) warn(warnings []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range warnings {
		if !slices.Contains(w.told, text) {
			w.log.Warnf("%s", text)
		}
	}
	w.told = warnings
}
