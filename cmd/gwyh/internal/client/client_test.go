package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// serve serves one answer, and returns a client and the last request.
func serve(t *testing.T, token, answer string, status int) (*Client, *string) {
	t.Helper()
	asked := new(string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 1024)
		n, _ := r.Body.Read(body)
		*asked = fmt.Sprintf("%s %s %s %q", r.Method, r.URL, body[:n], r.Header.Get("Authorization"))
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return New(strings.TrimPrefix(server.URL, "http://"), token), asked
}

func TestRequestsHaveTheTokenAndTheBody(t *testing.T) {
	c, asked := serve(t, "secret", `{"reached": 2}`, http.StatusOK)
	var r api.JoinResponse
	if err := c.Post(t.Context(), "/v1/join", api.JoinRequest{Addresses: []string{"a:1"}}, &r); err != nil || r.Reached != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if want := `POST /v1/join {"addresses":["a:1"]} "Bearer secret"`; *asked != want {
		t.Errorf("%s, want %s", *asked, want)
	}
	c.Token = ""
	if err := c.Get(t.Context(), "/v1/self", nil); err != nil || *asked != `GET /v1/self  ""` {
		t.Errorf("%s, %v", *asked, err)
	}
}

func TestProblemsAreErrorsWithTheirText(t *testing.T) {
	for answer, want := range map[string]string{`{"error": "no such key"}`: "no such key", "<html>": "400 Bad Request", `{}`: "400 Bad Request"} {
		c, _ := serve(t, "", answer, http.StatusBadRequest)
		err := c.Get(t.Context(), "/v1/keys", nil)
		if e, ok := errors.AsType[*StatusError](err); !ok || e.Status != http.StatusBadRequest || e.Text != want {
			t.Errorf("%s: %v, want %s", answer, err, want)
		}
	}
}

func TestAnswerThatIsNoneIsAnError(t *testing.T) {
	c, _ := serve(t, "", "<html>", http.StatusOK)
	var v []api.Member
	if err := c.Get(t.Context(), "/v1/members", &v); err == nil || !strings.Contains(err.Error(), "answer of the agent") {
		t.Errorf("%v", err)
	}
	if err := New("127.0.0.1:1", "").Get(t.Context(), "/v1/members", &v); err == nil || !strings.Contains(err.Error(), "no agent answers at http://127.0.0.1:1: ") {
		t.Errorf("%v", err)
	}
}

func TestEventsAreReadUntilTheirReaderHasEnough(t *testing.T) {
	c, asked := serve(t, "", ": hello\n\nid: 1\nevent: message\ndata: {\"id\": 1}\n\n:\n\nid: 2\ndata: {\"id\": 2}\n\nid: 3\ndata: {\"id\": 3}\n\n", http.StatusOK)
	var ids []uint64
	enough := errors.New("enough")
	err := c.Events(t.Context(), []string{"message", "member-join"}, nil, func(e api.Event) error {
		if ids = append(ids, e.ID); e.ID == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || fmt.Sprint(ids) != "[1 2]" || *asked != `GET /v1/events?type=message&type=member-join  ""` {
		t.Errorf("%v, %v, %s", ids, err, *asked)
	}
	err = c.Events(t.Context(), nil, nil, func(api.Event) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "has ended the stream") {
		t.Errorf("%v", err)
	}
	c, _ = serve(t, "", "data: nonsense\n\n", http.StatusOK)
	if err := c.Events(t.Context(), nil, nil, func(api.Event) error { return nil }); err == nil || !strings.Contains(err.Error(), "event of the agent") {
		t.Errorf("%v", err)
	}
}

func TestEventsEndWithTheContext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	err := New(server.URL, "").Events(ctx, nil, cancel, func(api.Event) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
