package gwyh

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/node"
	"github.com/gwyh-go/gwyh/status"
)

// A Keyring holds the pre-shared keys of a cluster. A node accepts all of them and offers the primary key first. To
// rotate a key at run time, add the new key on every node, then make it the primary key on every node, then remove the old key
// from every node. Several Memberlists may share a Keyring. All methods are safe for concurrent use.
//
// A key has 1 to 255 bytes. It should be random and have at least 16 bytes; nodes log a warning about a shorter key. A
// Keyring holds at most four keys, because a handshake checks at most four (PROTOCOL.md 4).
//
// A cluster without a key uses the key "insecure". To introduce keys at run time, restart each node with a Keyring
// that holds only this key, and rotate it as described above.
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

// ValidateKey returns an error unless key has 16, 24 or 32 bytes, as memberlist's ValidateKey does. A Keyring accepts other
// lengths too.
func ValidateKey(key []byte) error {
	switch len(key) {
	case 16, 24, 32:
		return nil
	}
	return fmt.Errorf("key of %d bytes: key size must be 16, 24 or 32 bytes", len(key))
}

// NewKeyring returns a Keyring with primaryKey and keys, which may contain primaryKey. Without any key the Keyring is
// empty. NewKeyring returns an error if there are keys but no primary key, and if AddKey rejects a key.
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

// AddKey adds a copy of key, which the nodes accept from then on. It becomes the primary key if the Keyring is empty. Adding a
// key that the Keyring holds does nothing. AddKey returns an error if key has no bytes or more than 255, and
// if the Keyring holds four other keys.
func (k *Keyring) AddKey(key []byte) error {
	if len(key) == 0 || len(key) > maxKeySize {
		return fmt.Errorf("key of %d bytes: key size must be 1 to %d bytes", len(key), maxKeySize)
	}
	return k.change(func() error { return k.add(key) })
}

// add is AddKey for a key of any length. The caller holds mu.
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

// UseKey makes key the primary key. It returns an error if the Keyring does not hold it. Sessions that were established
// with another key are renewed within seconds, without an interruption.
func (k *Keyring) UseKey(key []byte) error {
	return k.change(func() error { return k.use(key) })
}

// use is UseKey. The caller holds mu.
func (k *Keyring) use(key []byte) error {
	i := k.index(key)
	if i < 0 {
		return errors.New("requested key is not in the keyring")
	}
	primary := k.keys[i]
	k.keys = slices.Insert(slices.Delete(k.keys, i, i+1), 0, primary)
	return nil
}

// install adds secret, which may have any length, and makes it the primary key.
func (k *Keyring) install(secret []byte) error {
	return k.change(func() error {
		if err := k.add(secret); err != nil {
			return err
		}
		return k.use(secret)
	})
}

// RemoveKey removes key, which the nodes accept no longer. Sessions that were established with it are renewed, and end
// within 10 s. Removing the primary key is an error. Removing a key that the Keyring does not hold does nothing.
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

// GetKeys returns copies of all keys, the primary key first.
func (k *Keyring) GetKeys() (keys [][]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.keys {
		keys = append(keys, bytes.Clone(s()))
	}
	return keys
}

// GetPrimaryKey returns a copy of the primary key, or nil if the Keyring is empty.
func (k *Keyring) GetPrimaryKey() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 {
		return nil
	}
	return bytes.Clone(k.keys[0]())
}

// index returns the index of key in keys, or -1. The caller holds mu.
func (k *Keyring) index(key []byte) int {
	return slices.IndexFunc(k.keys, func(own secret) bool {
		return subtle.ConstantTimeCompare(own(), key) == 1
	})
}

// change calls f with mu held, and then, unless f failed, all watchers without it.
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

// watch arranges that f is called after each successful change, in the goroutine that made the change, without mu
// held. stop ends that, but one last call may be in progress when it returns. Calls for concurrent changes may come
// in any order, so f reads the current keys.
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

// Format writes the number of keys for any verb. It never shows a key.
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.summary()) }

// LogValue returns the number of keys. It never shows a key.
func (k *Keyring) LogValue() slog.Value { return slog.StringValue(k.summary()) }

// summary describes the Keyring without showing a key.
func (k *Keyring) summary() string {
	if k == nil {
		return "Keyring(nil)"
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Sprintf("Keyring(%d keys)", len(k.keys))
}

const (
	// defaultKey is the well-known key of gwyh 0.1, used if no key is configured. It keeps nobody out.
	defaultKey = "insecure"
	// maxKeys is the number of keys that a handshake checks (PROTOCOL.md 4, handshake economy).
	maxKeys = handshake.MaxKeys
	// maxKeySize is the maximum length of a key in a Keyring, in bytes.
	maxKeySize = 255
	// weakKeySize is the length in bytes below which a key counts as weak.
	weakKeySize = 16
)

// installSecretKey makes c.SecretKey the primary key of c.Keyring, as memberlist does. It makes a Keyring if there is
// none.
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

// preSharedKeys returns the keys of ring in the order in which they are tried, or the default key if there is none, and in known
// the warnings about them, without the keys themselves. handshake.NewKeys mixes the label in later.
func preSharedKeys(ring *Keyring) (keys [][]byte, known node.Keys) {
	if ring != nil {
		keys = ring.GetKeys()
	}
	if len(keys) == 0 {
		return [][]byte{[]byte(defaultKey)}, node.Keys{Default: true, Weak: 1, Known: []status.Key{{Primary: true, Weak: true, Default: true}}, Warnings: []string{`no key is set, so the well-known default key "` + defaultKey +
			`" is used, and anybody can join and listen: set Config.SecretKey or Config.Keyring to the same random key, of 16, 24 or 32 bytes, at all nodes`}}
	}
	for i, k := range keys {
		why := weakness(k)
		if why != "" {
			known.Weak++
			known.Warnings = append(known.Warnings, why)
		}
		isDefault := string(k) == defaultKey
		known.Default = known.Default || isDefault
		known.Known = append(known.Known, status.Key{Fingerprint: KeyFingerprint(k), Primary: i == 0, Weak: why != "", Default: isDefault})
	}
	return keys, known
}

// KeyFingerprint names a key without showing it: 12 hexadecimal digits of a hash of the key. Operators compare fingerprints
// to see whether nodes have the same keys. A key that can be guessed could be found by its fingerprint, so it has none:
// KeyFingerprint returns an empty string for a key of fewer than 16 bytes, of equal bytes, or of no bytes.
func KeyFingerprint(key []byte) string {
	if weakness(key) != "" {
		return ""
	}
	sum := sha256.Sum256(append([]byte("gwyh key fingerprint\x00"), key...))
	return hex.EncodeToString(sum[:6])
}

// weakness returns the reason why key is easy to guess, or the empty string. It does not show the key.
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
