package gwyh_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/template"
	"time"

	"github.com/gwyh-go/gwyh"
)

// logBook is a log for concurrent use.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Nodes with different keys, a key that is too short, and a message: the log reports the first two, and contains
// neither a key nor the message.
func TestLogShowsNoKeyAndNoPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBook
		network := new(gwyh.MockNetwork)
		node := func(name, key string) *gwyh.Memberlist {
			config := gwyh.DefaultLANConfig()
			config.Name, config.Transport, config.LogOutput = name, network.NewTransport(name), &log
			config.SecretKey = []byte(key)
			config.Delegate = &app{got: make(chan string, 10)}
			list, err := gwyh.Create(config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = list.Shutdown() })
			return list
		}
		const weak, strong, payload = "hunter2", "a very secret key of 32 letters.", "the payload of a message"
		a, b, other := node("a", strong), node("b", strong), node("other", weak)
		seed := []string{a.LocalNode().Address()}
		if _, err := b.Join(seed); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Join(seed); err == nil {
			t.Error("a node with another key joined")
		}
		if err := b.Broadcast([]byte(payload)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)

		got := log.String()
		for _, want := range []string{"wrong key", "can be guessed"} {
			if !strings.Contains(got, want) {
				t.Errorf("the log does not say %q", want)
			}
		}
		for _, secret := range []string{weak, strong, payload} {
			for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)),
				strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
				if strings.Contains(got, form) {
					t.Errorf("the log shows %q: %s", form, got)
				}
			}
		}
	})
}

// encoders are the standard library's encoders that write a value by its fields or by its methods. If an encoder
// refuses a value, it must not have written a part of it.
var encoders = map[string]func(w io.Writer, v any) error{
	"encoding/json": func(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) },
	"encoding/xml":  func(w io.Writer, v any) error { return xml.NewEncoder(w).Encode(v) },
	"encoding/gob":  func(w io.Writer, v any) error { return gob.NewEncoder(w).Encode(struct{ V any }{v}) },
	"text/template": func(w io.Writer, v any) error {
		return template.Must(template.New("").Parse("{{.}} {{printf `%x` .}}")).Execute(w, v)
	},
	"slog, as text": func(w io.Writer, v any) error { return logged(slog.NewTextHandler(w, nil), v) },
	"slog, as JSON": func(w io.Writer, v any) error { return logged(slog.NewJSONHandler(w, nil), v) },
}

// logged logs v alone and in a group.
func logged(h slog.Handler, v any) error {
	slog.New(h).With("before", v).Info("x", "value", v, slog.Group("group", "value", v))
	return nil
}

// Values of this package contain no key in any printed, logged or encoded form.
func TestPrintingShowsNoKey(t *testing.T) {
	key := []byte("a very secret key of 32 letters.")
	ring, err := gwyh.NewKeyring(nil, key)
	if err != nil {
		t.Fatal(err)
	}
	config := gwyh.DefaultLocalConfig()
	config.Name, config.SecretKey, config.Keyring, config.LogOutput = "a", key, ring, io.Discard
	config.Transport = new(gwyh.MockNetwork).NewTransport("a")
	list, err := gwyh.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = list.Shutdown() })
	traces := []string{string(key), hex.EncodeToString(key), strings.ToUpper(hex.EncodeToString(key)), base64.StdEncoding.EncodeToString(key)}
	for _, verb := range []string{"%v", "%d", "%x", "%#x", "%X", "%o", "%b", "%#v", "%U"} { // of the key's first bytes
		traces = append(traces, strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf(verb, key[:8]), "["), "]"))
	}
	for name, v := range map[string]any{
		"Config": *config, "*Config": config, "[]Config": []gwyh.Config{*config}, "Keyring": ring, "copy of a Keyring": reflect.ValueOf(ring).Elem().Interface(), "Memberlist": list, "Node": list.LocalNode(),
		"Members": list.Members(), "Stats": list.Stats(), "Transport": config.Transport, "nil Keyring": (*gwyh.Keyring)(nil), "struct": struct{ C *gwyh.Config }{config},
		"embedded": struct {
			*gwyh.Config
			Port int
		}{config, 1}, "[]*Keyring": []*gwyh.Keyring{ring}, "map": map[string]gwyh.Config{"a": *config},
	} {
		t.Run(name, func(t *testing.T) {
			printed := map[string]string{}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U"} {
				printed[verb] = fmt.Sprintf(verb, v)
			}
			for how, encode := range encoders {
				var out bytes.Buffer
				_ = encode(&out, v) // a Config has a field of function type, which most encoders refuse
				printed[how] = out.String()
			}
			for how, out := range printed {
				for _, trace := range traces {
					if len(trace) >= 8 && strings.Contains(out, trace) {
						t.Errorf("%s: shows the key as %s: %s", how, trace, out)
					}
				}
			}
		})
	}
}
