package gwyh

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/node"
)

// A Keyring holds the pre-shared keys of a cluster while they are being changed: nodes accept all of
// them and offer the primary one first. Install the new key at every node, then make it the primary
// everywhere, then remove the old one everywhere, and no node is ever without a key that the others
// know. Several Memberlists may share a Keyring. All methods are safe for concurrent use.
//
// A key has 1 to 255 bytes. It should be random and have 16 bytes or more: nodes log a warning about a
// shorter one. A Keyring holds at most four keys, because a node looks at no more (PROTOCOL.md 4).
//
// A cluster that runs without any key uses the key "insecure". To give it keys while it runs, restart
// its nodes with a Keyring of that key alone, and go on as above.
type Keyring struct {
	mu       sync.Mutex
	keys     []secret // the primary first
	watchers []*func()
}

// A secret returns a key. As a function it is printed as an address, so not even a copy of a Keyring, which has none of its methods,
// shows its keys.
type secret func() []byte

// secretOf returns a secret of a copy of key.
func secretOf(key []byte) secret {
	own := bytes.Clone(key)
	return func() []byte { return own }
}

// ValidateKey rejects a key that is not 16, 24 or 32 bytes long, as memberlist's does. The methods of a
// Keyring take keys of other lengths too.
func ValidateKey(key []byte) error {
	switch len(key) {
	case 16, 24, 32:
		return nil
	}
	return fmt.Errorf("key of %d bytes: key size must be 16, 24 or 32 bytes", len(key))
}

// NewKeyring makes a Keyring of primaryKey and keys, among which it may be. Without any key it is
// empty; keys without a primary one are an error, and so is what AddKey rejects.
func NewKeyring(keys [][]byte, primaryKey []byte) (*Keyring, error) {
	k := &Keyring{}
	if len(keys) == 0 && len(primaryKey) == 0 {
		return k, nil
	}
	if len(primaryKey) == 0 {
		return nil, errors.New("empty primary key not allowed")
	}
	for i, key := range slices.Concat([][]byte{primaryKey}, keys) {
		if err := k.AddKey(key); err != nil {
			if i == 0 {
				return nil, fmt.Errorf("primary key: %w", err)
			}
			return nil, fmt.Errorf("keys[%d]: %w", i-1, err)
		}
	}
	return k, nil
}

// AddKey makes nodes accept key, of which the Keyring keeps a copy. It becomes the primary one of an empty
// Keyring. To add a key again changes nothing. A key of no bytes or of more than 255 is an error, and so
// is a fifth key: remove another before.
func (k *Keyring) AddKey(key []byte) error {
	if len(key) == 0 || len(key) > maxKeySize {
		return fmt.Errorf("key of %d bytes: key size must be 1 to %d bytes", len(key), maxKeySize)
	}
	return k.change(func() error { return k.add(key) })
}

// add is AddKey for a key of any length. Needs the lock.
func (k *Keyring) add(key []byte) error {
	switch {
	case k.index(key) >= 0:
		return nil
	case len(k.keys) >= maxKeys:
		return fmt.Errorf("the keyring holds %d keys, and nodes accept no more: remove one before", len(k.keys))
	}
	k.keys = append(k.keys, secretOf(key))
	return nil
}

// UseKey makes key, which has to be in the Keyring, the primary one. Sessions that another key
// vouched for are renewed within seconds, without a gap.
func (k *Keyring) UseKey(key []byte) error {
	return k.change(func() error { return k.use(key) })
}

// use is UseKey. Needs the lock.
func (k *Keyring) use(key []byte) error {
	i := k.index(key)
	if i < 0 {
		return errors.New("requested key is not in the keyring")
	}
	primary := k.keys[i]
	k.keys = slices.Insert(slices.Delete(k.keys, i, i+1), 0, primary)
	return nil
}

// install makes secret the primary key, whatever its length.
func (k *Keyring) install(secret []byte) error {
	return k.change(func() error {
		if err := k.add(secret); err != nil {
			return err
		}
		return k.use(secret)
	})
}

// RemoveKey makes nodes accept key no longer, and renews the sessions it vouched for; they end after 10 s
// at the latest. That holds for the key that a Config had as its SecretKey too. To remove the primary key
// is an error, to remove one that is not there is none.
func (k *Keyring) RemoveKey(key []byte) error {
	return k.change(func() error {
		i := k.index(key)
		switch {
		case i == 0:
			return errors.New("removing the primary key is not allowed")
		case i > 0:
			clear(k.keys[i]()) // nobody else has this slice
			k.keys = slices.Delete(k.keys, i, i+1)
		}
		return nil
	})
}

// GetKeys returns copies of all keys, the primary one first.
func (k *Keyring) GetKeys() (keys [][]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.keys {
		keys = append(keys, bytes.Clone(s()))
	}
	return keys
}

// GetPrimaryKey returns a copy of the primary key, nil when the Keyring is empty.
func (k *Keyring) GetPrimaryKey() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 {
		return nil
	}
	return bytes.Clone(k.keys[0]())
}

// index is where key is, -1 for nowhere. Needs the lock.
func (k *Keyring) index(key []byte) int {
	return slices.IndexFunc(k.keys, func(own secret) bool {
		return subtle.ConstantTimeCompare(own(), key) == 1
	})
}

// change runs f under the lock, and afterwards without it all watchers.
func (k *Keyring) change(f func() error) error {
	k.mu.Lock()
	err := f()
	watchers := slices.Clone(k.watchers)
	k.mu.Unlock()
	if err != nil {
		return err
	}
	for _, w := range watchers {
		(*w)()
	}
	return nil
}

// watch has f called after each successful change, in the goroutine that made it and without a lock,
// until stop is called; one last call may be in progress then. Changes at the same moment may be told
// in either order, so f looks for itself what the keys are.
func (k *Keyring) watch(f func()) (stop func()) {
	w := &f
	k.mu.Lock()
	defer k.mu.Unlock()
	k.watchers = append(k.watchers, w)
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.watchers = slices.DeleteFunc(k.watchers, func(x *func()) bool { return x == w })
	}
}

// Format writes how many keys there are, whatever the verb, and none of the keys.
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.summary()) }

// LogValue is the number of keys, and none of the keys.
func (k *Keyring) LogValue() slog.Value { return slog.StringValue(k.summary()) }

// summary describes the Keyring without its keys.
func (k *Keyring) summary() string {
	if k == nil {
		return "Keyring(nil)"
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Sprintf("Keyring(%d keys)", len(k.keys))
}

const (
	// defaultKey is what gwyh uses when nobody configured a key. It keeps nobody out.
	defaultKey = "insecure"
	// maxKeys is how many keys of a ring are looked at (PROTOCOL.md 4, handshake economy).
	maxKeys = handshake.MaxKeys
	// maxKeySize bounds the bytes of a key that is added to a Keyring.
	maxKeySize = 255
	// weakKeySize is the length in bytes below which a key is called weak.
	weakKeySize = 16
)

// installSecretKey makes the SecretKey of c the primary key of its Keyring, as memberlist does, and
// makes a Keyring if there is none.
func installSecretKey(c *Config) error {
	if len(c.SecretKey) == 0 {
		return nil
	}
	if c.Keyring == nil {
		c.Keyring = &Keyring{}
	}
	if err := c.Keyring.install(c.SecretKey); err != nil {
		return fmt.Errorf("bad Config: SecretKey: %w", err)
	}
	return nil
}

// preSharedKeys returns the keys of a node in the order they are tried, and what its operator should know of them, without
// the keys that node.Keys has. If there is no key, gwyh's default one is used. A Config's Label is not in the keys:
// handshake.NewKey mixes it in.
func preSharedKeys(ring *Keyring) (keys [][]byte, known node.Keys) {
	if ring != nil {
		keys = ring.GetKeys()
	}
	if len(keys) == 0 {
		return [][]byte{[]byte(defaultKey)}, node.Keys{Default: true, Weak: 1, Warnings: []string{`no key is set, so the well-known default key "` + defaultKey +
			`" is used, and anybody can join and listen: set Config.SecretKey or Config.Keyring to the same random key, of 16, 24 or 32 bytes, at all nodes`}}
	}
	for _, k := range keys {
		if why := weakness(k); why != "" {
			known.Weak++
			known.Warnings = append(known.Warnings, why)
		}
		known.Default = known.Default || string(k) == defaultKey
	}
	return keys, known
}

// weakness is why a key is easy to guess, empty if it is not known to be. It does not show the key.
func weakness(key []byte) string {
	switch {
	case string(key) == defaultKey:
		return `a key is the well-known default key "` + defaultKey + `", so anybody can join and listen: remove it when all nodes have another`
	case len(key) < weakKeySize:
		return fmt.Sprintf("a key has %d bytes: fewer than %d can be guessed", len(key), weakKeySize)
	case bytes.Count(key, key[:1]) == len(key):
		return fmt.Sprintf("a key has %d equal bytes, which can be guessed", len(key))
	}
	return ""
}
