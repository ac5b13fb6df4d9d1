package quota

import "github.com/hashicorp/golang-lru/v2/simplelru"

// A Map is a map with a maximum number of entries. If it is full, a new entry replaces the least recently used one,
// so a flood of keys removes the oldest entries first.
type Map[K comparable, V any] struct {
	limit int
	lru   *simplelru.LRU[K, V] // nil until the first entry, because most maps of an idle node stay empty
}

// NewMap returns an empty Map with room for limit entries. It panics if limit is below one.
func NewMap[K comparable, V any](limit int) Map[K, V] {
	if limit < 1 {
		panic("quota: a Map without room")
	}
	return Map[K, V]{limit: limit}
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
		m.lru, _ = simplelru.NewLRU[K, V](m.limit, nil) // fails only if limit is below one
	}
	m.lru.Add(key, value)
}

// Delete removes a key, if it is there.
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

// All calls yield with each key and its value, the least recently used first, until yield returns false.
func (m *Map[K, V]) All(yield func(K, V) bool) {
	if m.lru == nil {
		return
	}
	for _, key := range m.lru.Keys() {
		if value, ok := m.lru.Peek(key); ok && !yield(key, value) {
			return
		}
	}
}
