package session

import (
	"testing"
	"time"
)

// Many sessions that send much share a bounded number of entries, and each keeps the newest packets.
func TestLogsTogetherStayWithinTheirRoom(t *testing.T) {
	room := &Room{Max: 4096}
	now := time.Unix(1e9, 0)
	var logs []*SentLog[int]
	for range 100 {
		l := NewSentLog[int](time.Minute, room)
		logs = append(logs, l)
		for n := range uint64(1000) {
			l.Put(n, now, 100, 0)
		}
		if _, _, _, ok := l.Get(999); !ok {
			t.Fatal("the newest packet is not recorded")
		}
	}
	if most := room.Max + len(logs)*firstSentLog; room.Used() > most {
		t.Errorf("%d entries, want at most %d", room.Used(), most)
	}
	for _, l := range logs {
		l.Release()
	}
	if room.Used() != 0 {
		t.Errorf("%d entries of logs that are released", room.Used())
	}
}
