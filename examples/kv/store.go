package main

import (
	"cmp"
	"sync"
)

// An Entry is the value of a key. The entry with the greater Version wins, and between equal versions the one with
// the greater Writer, so all nodes agree whatever order they receive entries in.
type Entry struct {
	Key     string
	Value   []byte
	Version uint64
	Writer  string // name of the node that wrote it
	Deleted bool   // deleted entries are kept, so that an older value does not come back
}

func (e Entry) newer(than Entry) bool {
	return cmp.Or(cmp.Compare(e.Version, than.Version), cmp.Compare(e.Writer, than.Writer)) > 0
}

// A Store is one node's copy of the map.
type Store struct {
	mu      sync.Mutex
	entries map[string]Entry
	latest  uint64 // the greatest Version seen; the next write gets a greater one
}

// Merge adds entries that are newer, and reports whether any entry was.
func (s *Store) Merge(entries ...Entry) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		s.latest = max(s.latest, e.Version)
		if old, ok := s.entries[e.Key]; ok && !e.newer(old) {
			continue
		}
		if s.entries == nil {
			s.entries = make(map[string]Entry)
		}
		s.entries[e.Key] = e
		news = true
	}
	return news
}

// Write gives an entry a version newer than all that this node has seen, and merges it.
func (s *Store) Write(e Entry) Entry {
	s.mu.Lock()
	s.latest++
	e.Version = s.latest
	s.mu.Unlock()
	s.Merge(e)
	return e
}

// Get returns the value of a key.
func (s *Store) Get(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[key]
	return e.Value, ok && !e.Deleted
}

// All returns every entry, including deleted ones.
func (s *Store) All() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Entry, 0, len(s.entries))
	for _, e := range s.entries {
		all = append(all, e)
	}
	return all
}
