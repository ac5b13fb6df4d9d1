// Package client calls the HTTP API of an agent.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// A Client calls one agent.
type Client struct {
	Base  string // scheme, host and port
	Token string // empty for none
}

// New returns a client of the agent at an address: host:port, or a URL.
func New(address, token string) *Client {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	return &Client{Base: strings.TrimSuffix(address, "/"), Token: token}
}

// A StatusError is an HTTP answer that reports a failure.
type StatusError struct {
	Status int
	Text   string
}

func (e *StatusError) Error() string { return e.Text }

// answerMax bounds the bytes of an answer.
const answerMax = 256 << 20

// Get sends a GET request for a path and decodes the answer into v.
func (c *Client) Get(ctx context.Context, path string, v any) error {
	return c.exchange(ctx, http.MethodGet, path, nil, v)
}

// Post sends a request and decodes the answer into v, which may be nil.
func (c *Client) Post(ctx context.Context, path string, request, v any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return c.exchange(ctx, http.MethodPost, path, body, v)
}

func (c *Client) exchange(ctx context.Context, method, path string, body []byte, v any) error {
	r, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }()
	if v == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, answerMax)).Decode(v); err != nil {
		return fmt.Errorf("answer of the agent: %w", err)
	}
	return nil
}

// do sends a request. It returns an error unless the status is a success.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	q, err := http.NewRequestWithContext(ctx, method, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		q.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, fmt.Errorf("no agent answers at %s: %w (start one with `gwyh agent`, or name its address with -http)", c.Base, err)
	}
	if r.StatusCode/100 == 2 {
		return r, nil
	}
	defer func() { _ = r.Body.Close() }()
	var p api.Problem
	if json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&p) != nil || p.Error == "" {
		p.Error = r.Status
	}
	return nil, &StatusError{r.StatusCode, p.Error}
}

// eventMax bounds the bytes of one event: a payload of 16 MiB in base64 and its envelope.
const eventMax = 24 << 20

// Events calls f for each event of the given types until ctx is done, the stream ends or f returns an error. No types
// means all types. If ready is not nil, it is called once the stream is open.
func (c *Client) Events(ctx context.Context, types []string, ready func(), f func(api.Event) error) error {
	r, err := c.do(ctx, http.MethodGet, "/v1/events?"+url.Values{"type": types}.Encode(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }()
	if ready != nil {
		ready()
	}
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, eventMax)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var e api.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("event of the agent: %w", err)
		}
		if err := f(e); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errors.New("the agent has ended the stream")
}
