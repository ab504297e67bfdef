package queue

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Embedded is a Redis inside the process, for where none is installed. It listens on a random
// loopback port behind a random password, and everything in it is gone when the process ends, so
// a process that uses it sweeps its rows before it serves. One process only.
type Embedded struct {
	mini   *miniredis.Miniredis
	url    string
	ticker *time.Ticker
	close  sync.Once
	quit   chan struct{}
	done   chan struct{}
}

// StartEmbedded starts the Redis. Pass [crypto/rand.Reader] as random outside tests.
func StartEmbedded(random io.Reader) (*Embedded, error) {
	ticker := time.NewTicker(time.Second)
	e, err := startEmbedded(random, time.Now(), ticker.C)
	if err != nil {
		ticker.Stop()
		return nil, err
	}
	e.ticker = ticker
	return e, nil
}

// startEmbedded lets the times to live run down by the ticks it receives, the first counted from
// now. miniredis can follow the wall clock by itself, but then walks over all keys at every command.
func startEmbedded(random io.Reader, now time.Time, ticks <-chan time.Time) (*Embedded, error) {
	secret := make([]byte, 16)
	if _, err := io.ReadFull(random, secret); err != nil {
		return nil, fmt.Errorf("make the password of the embedded Redis: %w", err)
	}
	password := hex.EncodeToString(secret)
	mini := miniredis.NewMiniRedis()
	mini.RequireAuth(password)
	if err := mini.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	u := url.URL{Scheme: "redis", User: url.UserPassword("", password), Host: mini.Addr()}
	e := &Embedded{mini: mini, url: u.String(), quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(e.done)
		for last := now; ; {
			select {
			case tick := <-ticks:
				if tick.After(last) {
					mini.FastForward(tick.Sub(last))
					last = tick
				}
			case <-e.quit:
				return
			}
		}
	}()
	return e, nil
}

// URL returns where the Redis is, with its password, as [ParseAddress] reads it.
func (e *Embedded) URL() string { return e.url }

// Address returns where the Redis is, with its password.
func (e *Embedded) Address() Address {
	a, err := ParseAddress(e.url)
	if err != nil {
		panic(err) // the URL is made above
	}
	return a
}

// Close ends the Redis; clients and servers on it are closed first. A second call does nothing.
func (e *Embedded) Close() {
	e.close.Do(func() {
		if e.ticker != nil {
			e.ticker.Stop()
		}
		close(e.quit)
		<-e.done
		e.mini.Close()
	})
}
