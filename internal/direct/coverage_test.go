package direct

import (
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md U8.
func TestCoverageOfAnotherFormIsMalformed(t *testing.T) {
	want := Coverage{ID: wire.MessageID{1, 15: 2}, Has: true}
	b := AppendCoverageAnswer(nil, wire.MessageID{9}, want)
	var m wire.Message
	if rest, err := wire.ParseMessage(&m, b); err != nil || len(rest) > 0 || m.Kind != wire.KindDirect {
		t.Fatalf("%v, %v", m.Kind, err)
	}
	d, err := wire.ParseDirect(m.Data)
	if err != nil || d.Use != wire.UseCoverageAnswer {
		t.Fatalf("use %d, %v", d.Use, err)
	}
	if got, err := ParseCoverage(d.Use, d.Data); err != nil || got != want {
		t.Errorf("answer %+v, %v", got, err)
	}
	if got, err := ParseCoverage(wire.UseCoverage, want.ID[:]); err != nil || got != (Coverage{ID: want.ID}) {
		t.Errorf("question %+v, %v", got, err)
	}
	long := append(want.ID[:], 1, 0)
	for n := range len(long) + 1 {
		if _, err := ParseCoverage(wire.UseCoverage, long[:n]); (err == nil) != (n == 16) {
			t.Errorf("question of %d bytes: %v", n, err)
		}
		if _, err := ParseCoverage(wire.UseCoverageAnswer, long[:n]); (err == nil) != (n == 17) {
			t.Errorf("answer of %d bytes: %v", n, err)
		}
	}
	if _, err := ParseCoverage(wire.UseCoverageAnswer, append(want.ID[:], 2)); err == nil {
		t.Error("an answer that says 2")
	}
}
