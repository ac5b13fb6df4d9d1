package gwyh_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh"
)

// logBook is a log that may be written to and read at any time.
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

// Nodes that do not understand each other, a key too short, a message: the log tells of the first two, and
// shows neither key nor message.
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
