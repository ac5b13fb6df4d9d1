package main

import (
	"slices"
	"testing"
)

func TestStoresAgreeInWhateverOrderTheyHear(t *testing.T) {
	written := []Entry{
		{Key: "k", Value: []byte("1"), Version: 1, Writer: "a"},
		{Key: "k", Value: []byte("2"), Version: 2, Writer: "a"},
		{Key: "k", Value: []byte("2 too"), Version: 2, Writer: "b"},
		{Key: "gone", Value: []byte("x"), Version: 3, Writer: "a"},
		{Key: "gone", Version: 4, Writer: "a", Deleted: true},
	}
	for range 20 {
		var s Store
		s.Merge(written...)
		if value, ok := s.Get("k"); !ok || string(value) != "2 too" {
			t.Errorf("k = %q, %v", value, ok)
		}
		if value, ok := s.Get("gone"); ok {
			t.Errorf("gone = %q", value)
		}
		written = append(written[1:], written[0])
		slices.Reverse(written[1:])
	}
}

func TestWhatIsWrittenIsNewerThanAllThatWasSeen(t *testing.T) {
	var s Store
	s.Merge(Entry{Key: "k", Value: []byte("old"), Version: 41, Writer: "z"})
	e := s.Write(Entry{Key: "k", Value: []byte("new"), Writer: "a"})
	if value, _ := s.Get("k"); e.Version != 42 || string(value) != "new" {
		t.Errorf("%+v, %q", e, value)
	}
	if got := s.All(); len(got) != 1 {
		t.Errorf("%d entries, want 1: %+v", len(got), got)
	}
	if s.Merge(e) {
		t.Error("merged twice")
	}
}
