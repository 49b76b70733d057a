/// Keys and signatures that OpenSSH 9.2p1's `ssh-keygen -Y sign -n quell-approval` made over "let it run\n".
enum SSHVectors {
    static let message = Array("let it run\n".utf8)
    static let fingerprint = "SHA256:OirAWouNZ1EfOaL0zB4FuUTKpOHNq1oD5aW45wYvIy4"

    static let ed25519Key = """
        ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICSgG586PQCzvWfC+00aSvWcLse/UTtM3c8fkXNAs1xf ada@desk
        """

    static let ed25519 = """
        -----BEGIN SSH SIGNATURE-----
        U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgJKAbnzo9ALO9Z8L7TRpK9Zwux7
        9RO0zdzx+Rc0CzXF8AAAAOcXVlbGwtYXBwcm92YWwAAAAAAAAABnNoYTUxMgAAAFMAAAAL
        c3NoLWVkMjU1MTkAAABAZS6ghJoPFIbkzOTBM0+KzBH7AhiKp+cbsBN77qFN8olo0jY9ce
        ODA1Nqd81T1iYxfpugbWU03WWIa3A6hiIHBQ==
        -----END SSH SIGNATURE-----

        """

    static let p256Key = """
        ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPFjWpspl+fqcGfReB3Pk05rqN8f\
        VWR4B0SytbB5I7S2dsYpE4XU4IxzbiXp8dwc6ErS5bfJAmyuf8d+/XNlE44= ada@desk
        """

    static let p256 = """
        -----BEGIN SSH SIGNATURE-----
        U1NIU0lHAAAAAQAAAGgAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAAhuaXN0cDI1NgAAAE
        EE8WNamymX5+pwZ9F4Hc+TTmuo3x9VZHgHRLK1sHkjtLZ2xikThdTgjHNuJenx3BzoStLl
        t8kCbK5/x379c2UTjgAAAA5xdWVsbC1hcHByb3ZhbAAAAAAAAAAGc2hhNTEyAAAAYwAAAB
        NlY2RzYS1zaGEyLW5pc3RwMjU2AAAASAAAACBMkBppct76wgHxroIAEtqOsrJoXXIffRSr
        0TMjKzYaXwAAACBaGn+DbU1SZXqVhzbi1iwye6U/HrrcQ+gayJCLhv/s8w==
        -----END SSH SIGNATURE-----

        """

    static let rsaKey = """
        ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDvB+HEIPLv9w7BMUc8wH0NHYQAZhvcCP2jXKb+pQJIPGJ4ybD4bgjpZy8a5HjQ\
        CmGOSq2Fl9UhCP+j6yblxtIfJDZZO4PTCwliQqNsqSBpyRl92KtrNSNHYSBxxjCcbh3TEoDYLG6NzMuEmXn7iMELhWMnwpGbDs94\
        J8E0wu3MOoV4gVDJX4Rad+/hlJyWV6A0gJsXpNTPegDv3BGAVrF7ekV4s1y0Wa3sZBsdDwDRThGS+66ViZb19kXgnsS2Acs5ZG3x\
        Q26df7KHZTWkqFYWW66WBYFBUscsQEWdnkPFyTUKZfP0sBx0o2vaHOlpX3J1+clcmcf5a3xCjUG+kWdd ada@desk
        """

    static let rsa = """
        -----BEGIN SSH SIGNATURE-----
        U1NIU0lHAAAAAQAAARcAAAAHc3NoLXJzYQAAAAMBAAEAAAEBAO8H4cQg8u/3DsExRzzAfQ
        0dhABmG9wI/aNcpv6lAkg8YnjJsPhuCOlnLxrkeNAKYY5KrYWX1SEI/6PrJuXG0h8kNlk7
        g9MLCWJCo2ypIGnJGX3Yq2s1I0dhIHHGMJxuHdMSgNgsbo3My4SZefuIwQuFYyfCkZsOz3
        gnwTTC7cw6hXiBUMlfhFp37+GUnJZXoDSAmxek1M96AO/cEYBWsXt6RXizXLRZrexkGx0P
        ANFOEZL7rpWJlvX2ReCexLYByzlkbfFDbp1/sodlNaSoVhZbrpYFgUFSxyxARZ2eQ8XJNQ
        pl8/SwHHSja9oc6WlfcnX5yVyZx/lrfEKNQb6RZ10AAAAOcXVlbGwtYXBwcm92YWwAAAAA
        AAAABnNoYTUxMgAAARQAAAAMcnNhLXNoYTItNTEyAAABAG5TLVXTG+l7deugZ1NDZxuyyo
        obQj6JImbhoYvzD3hJiTCSYGoQlvgYFkYK6DBpvlURE79+mEvwn9B6HUQ5zGYftp9jw6jl
        L8ud66/WxZZF5Z7SOt1qslThl3gADgwof1c631akzj72hShHWJimHzbRfJZ5LfAHxe3q53
        L+i/+Y9SeBA1p3w2q6dKz/t3xx0ym/TK9jzNrwxbgi8UuntYP4qjoC4qpBLc6WcmpJMpJ4
        pLg8EayDoevGjtehrUlLd93O2m3OZOEFC7YTZMvq6c4ouI2Xqj1I38btPWdQd5+ypy233w
        oWNfWg2qv9C32vRhyV2oir8MWioftMZDAjilw=
        -----END SSH SIGNATURE-----

        """
}

/// One key with one signature of it.
struct SSHVector: Sendable, CustomStringConvertible {
    let description: String
    let key: String
    let signature: String

    static let all = [
        SSHVector(description: "ed25519", key: SSHVectors.ed25519Key, signature: SSHVectors.ed25519),
        SSHVector(description: "p256", key: SSHVectors.p256Key, signature: SSHVectors.p256),
        SSHVector(description: "rsa", key: SSHVectors.rsaKey, signature: SSHVectors.rsa),
    ]
}
