package sandbox

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

const freePort = "127.0.0.1:0"

// Start returns a sandbox that listens. It ends with [Sandbox.Close], or closes by itself when
// the context ends.
func Start(ctx context.Context, o Options) (*Sandbox, error) {
	httpAddress, smtpAddress := cmp.Or(o.HTTPAddress, freePort), cmp.Or(o.SMTPAddress, freePort)
	for _, address := range []string{httpAddress, smtpAddress} {
		if err := o.checkListen(address); err != nil {
			return nil, err
		}
	}
	web, err := new(net.ListenConfig).Listen(ctx, "tcp", httpAddress)
	if err != nil {
		return nil, err
	}
	post, err := new(net.ListenConfig).Listen(ctx, "tcp", smtpAddress)
	if err != nil {
		return nil, errors.Join(err, web.Close())
	}
	s := New(o)
	requests, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.http, s.smtp, s.stop = web, post, stop
	s.server = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      10 * time.Minute, // longer than any stall, and than moving the clock takes
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          log.New(io.Discard, "", 0), // it would tell of connections cut on request
	}
	go func() { _ = s.server.Serve(web) }() // ends with Close
	go func() { _ = s.Inbox.Serve(post) }()
	s.forget = context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		_ = s.Close(closing)
	})
	return s, nil
}

// closeLimit bounds closing when the context of [Start] ends.
const closeLimit = 5 * time.Second

// URL is where Kakao, KakaoPay and the admin are reached: "http://127.0.0.1:49152".
func (s *Sandbox) URL() string { return "http://" + s.http.Addr().String() }

// SMTPAddress is where mail goes: "127.0.0.1:49153".
func (s *Sandbox) SMTPAddress() string { return s.smtp.Addr().String() }

// Close ends the sandbox: stalled answers are cut, others may finish until the context ends.
// Closing twice does nothing more.
func (s *Sandbox) Close(ctx context.Context) error {
	var errs []error
	if s.server != nil {
		s.forget()
		s.stop()
		if err := s.server.Shutdown(ctx); err != nil {
			errs = append(errs, err, s.server.Close())
		}
	}
	errs = append(errs, s.Inbox.Close())
	if s.smtp != nil {
		_ = s.smtp.Close() // again, where the mail server had not begun to serve
	}
	s.Kakao.Close()
	return errors.Join(errs...)
}
