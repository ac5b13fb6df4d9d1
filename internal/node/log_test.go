package node

import (
	"bytes"
	"log"
	"log/slog"
	"testing"
)

func TestLogLinesHaveLevelAndLibrary(t *testing.T) {
	var b bytes.Buffer
	for _, l := range []Log{NewLog(nil, &b, nil), NewLog(log.New(&b, "", log.LstdFlags), nil, nil)} {
		b.Reset()
		l.Logger().SetFlags(0)
		l.Warnf("c %s", "d")
		l.Errorf("e")
		l.Line("[INFO] gwyh: f")
		want := "[WARN] gwyh: c d\n[ERR] gwyh: e\n[INFO] gwyh: f\n"
		if b.String() != want {
			t.Errorf("%q", b.String())
		}
	}
	if NewLog(nil, nil, nil).Logger() == nil {
		t.Error("no default")
	}
}

func TestLogHandlerGetsRecordsWithTheirLevel(t *testing.T) {
	var b bytes.Buffer
	handler := slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	l := NewLog(nil, nil, handler)
	l.Line("[DEBUG] gwyh: not enabled")
	l.Line("[INFO] gwyh: b")
	l.Warnf("c %s", "d")
	l.Errorf("e")
	l.Line("[WARN] gwyh: from the core")
	want := "level=INFO msg=b\nlevel=WARN msg=\"c d\"\nlevel=ERROR msg=e\nlevel=WARN msg=\"from the core\"\n"
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}
