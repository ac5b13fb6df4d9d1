package quota

import "github.com/hashicorp/golang-lru/v2/simplelru"

// A Map remembers at most a number of entries. When it is full, a new entry replaces the one that was longest
// neither set nor looked up, so that a flood of keys costs the oldest entries and not all of them.
type Map[K comparable, V any] struct {
	most int
	lru  *simplelru.LRU[K, V] // nil until the first entry: most maps of an idle node stay empty
}

// NewMap returns an empty Map for at most so many entries. It panics if most is below one.
func NewMap[K comparable, V any](most int) Map[K, V] {
	if most < 1 {
		panic("quota: a Map without room")
	}
	return Map[K, V]{most: most}
}

// Get returns the value of a key, or the zero value and false.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	if m.lru == nil {
		return value, false
	}
	return m.lru.Get(key)
}

// Set sets the value of a key.
func (m *Map[K, V]) Set(key K, value V) {
	if m.lru == nil {
		m.lru, _ = simplelru.NewLRU[K, V](m.most, nil) // fails only without room
	}
	m.lru.Add(key, value)
}

// Delete removes a key. It does nothing if the key is not there.
func (m *Map[K, V]) Delete(key K) {
	if m.lru != nil {
		m.lru.Remove(key)
	}
}

// Len returns the number of entries.
func (m *Map[K, V]) Len() int {
	if m.lru == nil {
		return 0
	}
	return m.lru.Len()
}
