package main

import (
	"cmp"
	"sync"
)

// An Entry is what a key stands for. The greater Version wins, and between equal ones the greater
// Writer, so that all nodes agree in whatever order they hear.
type Entry struct {
	Key     string
	Value   []byte
	Version uint64
	Writer  string // name of the node that wrote it
	Deleted bool   // kept, so that an older value does not come back
}

func (e Entry) newer(than Entry) bool {
	return cmp.Or(cmp.Compare(e.Version, than.Version), cmp.Compare(e.Writer, than.Writer)) > 0
}

// A Store is one node's copy of the map.
type Store struct {
	mu      sync.Mutex
	entries map[string]Entry
	latest  uint64 // greatest Version seen, so that what is written next is newer
}

// Merge takes in what others wrote, and reports whether anything was new.
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

// Write makes an entry that is newer than all that this node has seen, and merges it.
func (s *Store) Write(e Entry) Entry {
	s.mu.Lock()
	s.latest++
	e.Version = s.latest
	s.mu.Unlock()
	s.Merge(e)
	return e
}

// Get is the value of a key.
func (s *Store) Get(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[key]
	return e.Value, ok && !e.Deleted
}

// All is every entry, the deleted ones among them.
func (s *Store) All() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Entry, 0, len(s.entries))
	for _, e := range s.entries {
		all = append(all, e)
	}
	return all
}
