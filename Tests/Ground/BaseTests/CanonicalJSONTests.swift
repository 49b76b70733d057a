import Base
import Testing

@Suite("canonical JSON")
struct CanonicalJSONTests {
    /// RFC 8785 appendix B: IEEE 754 bits and the text.
    static let numbers: [(UInt64, String)] = [
        (0x0000_0000_0000_0000, "0"), (0x8000_0000_0000_0000, "0"), (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"), (0x7FEF_FFFF_FFFF_FFFF, "1.7976931348623157e+308"),
        (0xFFEF_FFFF_FFFF_FFFF, "-1.7976931348623157e+308"), (0x4340_0000_0000_0000, "9007199254740992"),
        (0xC340_0000_0000_0000, "-9007199254740992"), (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44B5_2D02_C7E1_4AF5, "9.999999999999997e+22"), (0x44B5_2D02_C7E1_4AF6, "1e+23"),
        (0x44B5_2D02_C7E1_4AF7, "1.0000000000000001e+23"), (0x444B_1AE4_D6E2_EF4E, "999999999999999700000"),
        (0x444B_1AE4_D6E2_EF4F, "999999999999999900000"), (0x444B_1AE4_D6E2_EF50, "1e+21"),
        (0x3EB0_C6F7_A0B5_ED8C, "9.999999999999997e-7"), (0x3EB0_C6F7_A0B5_ED8D, "0.000001"),
        (0x41B3_DE43_5555_5553, "333333333.3333332"), (0x41B3_DE43_5555_5554, "333333333.33333325"),
        (0x41B3_DE43_5555_5555, "333333333.3333333"), (0x41B3_DE43_5555_5556, "333333333.3333334"),
        (0x41B3_DE43_5555_5557, "333333333.33333343"), (0xBECB_F647_612F_3696, "-0.0000033333333333333333"),
        (0x4314_3FF3_C1CB_0959, "1424953923781206.2"),
    ]

    @Test("numbers are written as RFC 8785 appendix B says", arguments: numbers)
    func number(bits: UInt64, text: String) {
        #expect(CanonicalJSON.text(of: .number(Double(bitPattern: bits))) == text)
    }

    @Test("RFC 8785 section 3.2.2: values, escapes and order")
    func example() throws {
        let input = #"""
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """#
        let expected =
            #"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#
            + "\"string\":\"\u{20AC}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        #expect(CanonicalJSON.text(of: try JSONReader.read(Array(input.utf8))) == expected)
    }

    @Test("RFC 8785 section 3.2.3: members are sorted by UTF-16, not by scalars or bytes")
    func order() throws {
        let input = #"{"€":1,"\r":2,"\ufb33":3,"1":4,"😀":5,"\u0080":6,"ö":7}"#
        let value = try JSONReader.read(Array(input.utf8))
        let sorted = try JSONReader.read(CanonicalJSON.bytes(of: value)).object?.members.map(\.value)
        #expect(sorted == [2, 4, 6, 7, 1, 5, 3])
    }

    @Test("the same members in any order give the same bytes")
    func stable() {
        let one: JSONValue = ["b": 1, "a": ["y": 2, "x": 3]]
        let other: JSONValue = ["a": ["x": 3, "y": 2], "b": 1]
        #expect(CanonicalJSON.bytes(of: one) == CanonicalJSON.bytes(of: other))
        #expect(CanonicalJSON.text(of: one) == #"{"a":{"x":3,"y":2},"b":1}"#)
    }
}
