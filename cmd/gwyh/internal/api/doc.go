// Package api is the HTTP API of an agent: its types, its server, and the OpenAPI description (openapi.yaml), which a
// test compares with both. The server knows the agent only as a [Backend].
package api
