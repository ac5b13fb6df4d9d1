package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// A Server serves the API of an agent.
type Server struct {
	Addr   net.Addr // where it listens
	server *http.Server
	ended  chan error
}

// Serve listens on an address and serves the API of the agent there, with the status page and metrics.
func (a *Agent) Serve(address, token string) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	s := &Server{Addr: listener.Addr(), ended: make(chan error, 1)}
	s.server = &http.Server{
		Handler: api.Handler(a, api.Config{Token: token, Page: a.page(), Metrics: a.metrics()}), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return a.ctx }, // event streams end with the agent
	}
	go func() { s.ended <- s.server.Serve(listener) }()
	return s, nil
}

// Failed returns a channel that receives the error if the server fails.
func (s *Server) Failed() <-chan error { return s.ended }

// Close ends the server. Requests in progress have one second to complete.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		return errors.Join(err, s.server.Close())
	}
	return nil
}
