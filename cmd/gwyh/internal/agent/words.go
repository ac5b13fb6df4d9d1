package agent

import (
	"context"
	"errors"
	"log/slog"
	"strings"
)

// configWords and agentWords are what to do about a missing key: in a program with the library, and with an agent.
const (
	configWords = "set Config.SecretKey or Config.Keyring to the same random key, of 16, 24 or 32 bytes, at all nodes"
	agentWords  = "set -key-file or GWYH_KEY to the same key at all agents (`gwyh keygen` makes one)"
)

// inAgentWords returns a text of the library with the agent's options in place of fields of the library's Config.
func inAgentWords(text string) string { return strings.Replace(text, configWords, agentWords, 1) }

// forAgents passes log lines of the library to a Log in the words of an agent.
type forAgents struct{ *Log }

func (f forAgents) Handle(ctx context.Context, r slog.Record) error {
	r.Message = inAgentWords(r.Message)
	return f.Log.Handle(ctx, r)
}

// The error of a Join begins with joinFailed, then has one line for each address and, if any address did not answer, the
// possible causes as its last line.
const (
	joinFailed   = "gwyh: no node was reached: "
	commonCauses = "\npossible causes of no answer: "
)

// reasons returns the error of a Join as one line for the log: why each address was not reached. It leaves out the
// possible causes, because the library writes them to the log itself.
func reasons(err error) error {
	if err == nil {
		return nil
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), joinFailed), commonCauses)
	return errors.New(strings.ReplaceAll(text, "\n", "; "))
}
