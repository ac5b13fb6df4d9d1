package wire

import "testing"

func TestCoverageOfAnotherFormIsMalformed(t *testing.T) {
	want := Coverage{ID: MessageID{1, 15: 2}, Has: true}
	b := AppendCoverageAnswer(nil, MessageID{9}, want)
	var m Message
	if rest, err := ParseMessage(&m, b); err != nil || len(rest) > 0 || m.Kind != KindDirect {
		t.Fatalf("%v, %v", m.Kind, err)
	}
	d, err := ParseDirect(m.Data)
	if err != nil || d.Use != UseCoverageAnswer {
		t.Fatalf("use %d, %v", d.Use, err)
	}
	if got, err := ParseCoverage(d.Use, d.Data); err != nil || got != want {
		t.Errorf("answer %+v, %v", got, err)
	}
	if got, err := ParseCoverage(UseCoverage, want.ID[:]); err != nil || got != (Coverage{ID: want.ID}) {
		t.Errorf("question %+v, %v", got, err)
	}
	long := append(want.ID[:], 1, 0)
	for n := range len(long) + 1 {
		if _, err := ParseCoverage(UseCoverage, long[:n]); (err == nil) != (n == 16) {
			t.Errorf("question of %d bytes: %v", n, err)
		}
		if _, err := ParseCoverage(UseCoverageAnswer, long[:n]); (err == nil) != (n == 17) {
			t.Errorf("answer of %d bytes: %v", n, err)
		}
	}
	if _, err := ParseCoverage(UseCoverageAnswer, append(want.ID[:], 2)); err == nil {
		t.Error("an answer that says 2")
	}
}
