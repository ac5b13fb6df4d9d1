package direct

import "github.com/gwyh-go/gwyh/internal/wire"

// A Coverage is the content of a message of wire.UseCoverage, the id of a broadcast, or of its answer: the id followed
// by 1 if the sender has the broadcast and 0 otherwise.
type Coverage struct {
	ID  wire.MessageID
	Has bool // set only in an answer
}

// AppendCoverageAnswer appends a message of wire.UseCoverageAnswer to b.
func AppendCoverageAnswer(b []byte, id wire.MessageID, v Coverage) []byte {
	content := append(v.ID[:], 0)
	if v.Has {
		content[len(v.ID)] = 1
	}
	return wire.AppendDirect(b, id, wire.Direct{Use: wire.UseCoverageAnswer, Total: uint32(len(content)), Data: content})
}

// ParseCoverage parses the content of a message of wire.UseCoverage or wire.UseCoverageAnswer (PROTOCOL.md U8).
func ParseCoverage(use wire.Use, b []byte) (v Coverage, err error) {
	answer := use == wire.UseCoverageAnswer
	want := len(v.ID)
	if answer {
		want++
	}
	if len(b) != want || answer && b[want-1] > 1 {
		return v, wire.ErrMalformed
	}
	return Coverage{ID: wire.MessageID(b[:len(v.ID)]), Has: answer && b[want-1] == 1}, nil
}
