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

// Listen listens on an address for Serve. Call it before Start, so that no node joins and ends again if the address is taken.
func Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("HTTP API: %w (-http names another address, such as 127.0.0.1:0 for a free port; -http \"\" serves no API)", err)
	}
	return listener, nil
}

// Serve serves the API of the agent at a listener, with the status page and metrics. The Server closes the listener.
func (a *Agent) Serve(listener net.Listener, token string) *Server {
	s := &Server{Addr: listener.Addr(), ended: make(chan error, 1)}
	s.server = &http.Server{
		Handler: api.Handler(a, api.Config{Token: token, Page: a.page(), Metrics: a.metrics()}), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return a.ctx }, // event streams end with the agent
	}
	go func() { s.ended <- s.server.Serve(listener) }()
	return s
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
